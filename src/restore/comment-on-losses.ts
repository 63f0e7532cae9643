import { hasCode, messageOf } from '../core/app-error.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified, quoteRegclass } from '../postgres/sql/quote.ts'
import type { Losses } from './losses.ts'

interface CommentOptions {
  readonly onNote: (note: string) => void
  readonly signal?: AbortSignal | undefined
}

/** Each table that lacks rows says so itself, behind the comment that it has. */
export async function commentOnTables(connection: Connection, losses: Losses, options: CommentOptions): Promise<void> {
  for (const { table, lostRows } of losses.tables()) {
    const { schema, name } = table
    const regclass = `${quoteRegclass(schema, name, connection)}::pg_catalog.regclass`
    const [[existing] = []] = await connection.query(
      `SELECT pg_catalog.obj_description(${regclass}, 'pg_class')`,
      options,
    )
    const text = `pgrevive: lacks ${lostRows} of ${table.rows} rows, which are damaged in backup ${losses.backup}`
    await comment(connection, `TABLE ${quoteQualified(schema, name, connection)}`, existing, text, options)
  }
}

/** The database says what it lacks, behind the comment that it has. */
export async function commentOnDatabase(
  connection: Connection,
  database: string,
  losses: Losses,
  options: CommentOptions,
): Promise<void> {
  const [[existing] = []] = await connection.query(
    `SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
     WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(database)}`,
    options,
  )
  const lines = losses.list().map(({ object, problem }) => `${object} ${problem}`)
  const text = `pgrevive: restored from backup ${losses.backup} without what is damaged there: ${lines.join('; ')}`
  await comment(connection, `DATABASE ${quoteIdentifier(database)}`, existing, text, options)
}

async function comment(
  connection: Connection,
  on: string,
  existing: string | null | undefined,
  text: string,
  { onNote, signal }: CommentOptions,
): Promise<void> {
  const whole = quoteLiteral([...(existing ? [existing] : []), text].join('\n'), connection)
  try {
    await connection.execute(`COMMENT ON ${on} IS ${whole}`, { signal })
  } catch (error) {
    if (!hasCode(error, 'permission-denied', 'query-failed')) throw error
    onNote(`${on} does not say what it lacks: ${messageOf(error)}`)
  }
}
