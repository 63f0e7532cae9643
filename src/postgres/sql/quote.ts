/** How a connection turns text into bytes; `latin1` is for SQL_ASCII databases, whose text is bytes without a meaning. */
export interface TextEncoding {
  readonly encoding: 'utf8' | 'latin1'
}

const unicode: TextEncoding = { encoding: 'utf8' }

/**
 * Quotes an identifier so that it is pure ASCII and means the same under every client_encoding: PostgreSQL 13 and later
 * convert `U&"…"` to the server's encoding. SQL_ASCII has nothing to convert to, so there bytes stay bytes. Needs
 * standard_conforming_strings = on. Pass the connection that will send it.
 */
export function quoteIdentifier(name: string, connection = unicode): string {
  const quoted = name.replaceAll('"', '""')
  return isPlain(name, connection) ? `"${quoted}"` : `U&"${escapeUnicode(quoted)}"`
}

export function quoteLiteral(text: string, connection = unicode): string {
  const quoted = text.replaceAll("'", "''")
  return isPlain(text, connection) ? `'${quoted}'` : `U&'${escapeUnicode(quoted)}'`
}

export function quoteQualified(schema: string, name: string, connection = unicode): string {
  return `${quoteIdentifier(schema, connection)}.${quoteIdentifier(name, connection)}`
}

/** A literal for `regclass`, whose input does not know `U&"…"`. */
export function quoteRegclass(schema: string, name: string, connection = unicode): string {
  const quoted = [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`)
  return quoteLiteral(quoted.join('.'), connection)
}

function isPlain(text: string, { encoding }: TextEncoding): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is the point
  return encoding === 'latin1' || /^[\x00-\x7f]*$/.test(text)
}

function escapeUnicode(text: string): string {
  let escaped = ''
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (character === '\\') escaped += '\\\\'
    else if (code < 0x80) escaped += character
    else
      escaped += code > 0xffff ? `\\+${code.toString(16).padStart(6, '0')}` : `\\${code.toString(16).padStart(4, '0')}`
  }
  return escaped
}
