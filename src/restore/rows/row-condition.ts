import { AppError, hasCode } from '../../core/app-error.ts'
import { nameOf } from '../../postgres/pg-dump/schema-text.ts'
import { type TextEncoding, quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import { type Token, readTokens } from '../../postgres/sql/sql-tokens.ts'

/**
 * A person's condition as one SQL expression that means the same under every client_encoding, for COPY's WHERE, which sees
 * the columns of one row. Throws `usage-invalid` for what is no expression, or names a generated column: COPY has no value
 * for it yet, and versions before 18 do not say so.
 */
export function rowCondition(text: string, generatedColumns: readonly string[], connection: TextEncoding): string {
  let sql = ''
  let copied = 0
  let depth = 0
  for (const token of readCondition(text)) {
    sql += text.slice(copied, token.start)
    copied = token.end
    if (token.kind === 'comment') {
      sql += ' '
      continue
    }
    if (token.kind === 'symbol') depth += token.text === '(' ? 1 : token.text === ')' ? -1 : 0
    if (depth < 0 || token.text === ';') throw invalidCondition('it is more than one expression')
    const name = token.kind === 'word' ? token.text.toLowerCase() : nameOf(token)
    if ((token.kind === 'word' || token.kind === 'quoted') && generatedColumns.includes(name)) {
      throw invalidCondition(`${name} is a generated column, whose value is made after the row was chosen`)
    }
    sql += inAscii(token, connection)
  }
  if (depth > 0 || sql.trim() === '') throw invalidCondition('it is not a whole expression')
  return `(${sql})`
}

function readCondition(text: string): Token[] {
  try {
    return [...readTokens(text)]
  } catch (error) {
    if (hasCode(error, 'pg-dump-failed')) throw invalidCondition('it ends inside a quote or a comment', error)
    throw error
  }
}

function inAscii(token: Token, connection: TextEncoding): string {
  // oxlint-disable-next-line no-control-regex -- the range is the point
  if (connection.encoding === 'latin1' || /^[\x00-\x7f]*$/.test(token.text)) return token.text
  if (token.kind === 'string' && token.text.startsWith("'")) {
    return quoteLiteral(token.text.slice(1, -1).replaceAll("''", "'"), connection)
  }
  if (token.kind === 'quoted' || token.kind === 'word') return quoteIdentifier(nameOf(token), connection)
  throw invalidCondition("letters beyond ASCII must stand in '…'")
}

/** As told before the server was asked, or with what it said. */
export function invalidCondition(why: string, cause?: unknown): AppError {
  return new AppError('usage-invalid', `--where can not be used: ${why}`, {
    cause,
    hint: "it sees the columns of one row, and functions with their schema, such as price > 100 AND airline = 'X'; for more, restore all rows and choose among them with SQL",
  })
}
