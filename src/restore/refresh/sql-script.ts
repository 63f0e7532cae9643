import { readFile } from 'node:fs/promises'
import { AppError, messageOf } from '../../core/app-error.ts'
import { type Token, readTokens, splitStatements } from '../../postgres/sql/sql-tokens.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { PostgresError } from '../../postgres/wire/postgres-error.ts'

/** SQL of a user's, statement by statement. */
export interface SqlScript {
  readonly path: string
  /** `line` counts from 1. */
  readonly statements: readonly { readonly sql: string; readonly line: number }[]
}

/** Throws `config-invalid` where it can not be read, or holds what is no statement of SQL. */
export async function readSqlScript(path: string): Promise<SqlScript> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new AppError('config-invalid', `the script ${path} can not be read: ${messageOf(cause)}`, {
      cause,
      hint: 'nothing was changed; sql under refreshes in pgrevive.yaml names it',
    })
  }
  try {
    return { path, statements: splitStatements(asKeywords(text)).flatMap((tokens) => statementOf(tokens, text)) }
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause
    throw new AppError('config-invalid', `the script ${path} is not SQL: ${cause.message}`, {
      cause,
      hint: 'pgrevive runs statements of SQL; commands of psql, and COPY with STDIN or STDOUT, are none',
    })
  }
}

function* asKeywords(text: string): Generator<Token> {
  for (const token of readTokens(text)) {
    yield token.kind === 'word' ? { ...token, text: token.text.toUpperCase() } : token
  }
}

function statementOf(tokens: readonly Token[], text: string): SqlScript['statements'] {
  const [first, last] = [tokens[0], tokens.at(-1)]
  if (!first || !last || (first === last && first.text === ';')) return []
  const line = text.slice(0, first.start).split('\n').length
  if (tokens.some(({ kind, text: symbol }) => kind === 'symbol' && symbol === '\\')) {
    throw new AppError('usage-invalid', `line ${line} holds a command of psql`)
  }
  if (first.text === 'COPY' && tokens.some(({ kind, text: word }) => kind === 'word' && /^STD(IN|OUT)$/.test(word))) {
    throw new AppError('usage-invalid', `line ${line} copies from or to a client`)
  }
  return [{ sql: text.slice(first.start, last.end), line }]
}

/**
 * Runs the statements one by one, each in a transaction of its own where the script opens none, as psql does: so that it can
 * VACUUM. Stops at the first error: throws `restore-failed`, without what the server tells of the rows.
 */
export async function runSqlScript(
  connection: Connection,
  { path, statements }: SqlScript,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  for (const { sql, line } of statements) {
    try {
      await connection.execute(connection.encoding === 'utf8' ? sql : Buffer.from(sql).toString('latin1'), options)
    } catch (error) {
      if (!(error instanceof AppError) || !(error.cause instanceof PostgresError)) throw error
      const { severity, sqlState } = error.cause
      throw new AppError('restore-failed', `${path}, line ${line}: ${withoutValues(error.message, sqlState)}`, {
        // its DETAIL and CONTEXT may show rows as they were before
        cause: new PostgresError({ severity, sqlState, message: withoutValues(error.message, sqlState) }),
        hint: 'correct the script and run the same command again',
      })
    }
  }
  if (connection.transaction === 'idle') return
  throw new AppError('restore-failed', `${path} ends within a transaction, and has changed nothing in it`, {
    hint: 'add COMMIT to its end, and run the same command again',
  })
}

/** Data exceptions quote what they stumbled over, at the end. */
function withoutValues(message: string, sqlState: string): string {
  return sqlState.startsWith('22') ? message.replace(/: ".*"$/s, '') : message
}
