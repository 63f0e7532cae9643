/**
 * Quotes an identifier so that it is pure ASCII and means the same under every client_encoding: PostgreSQL 13 and later
 * convert `U&"…"` to the server's encoding. Needs standard_conforming_strings = on.
 */
export function quoteIdentifier(name: string): string {
  const quoted = name.replaceAll('"', '""')
  return isAscii(name) ? `"${quoted}"` : `U&"${escapeUnicode(quoted)}"`
}

export function quoteLiteral(text: string): string {
  const quoted = text.replaceAll("'", "''")
  return isAscii(text) ? `'${quoted}'` : `U&'${escapeUnicode(quoted)}'`
}

export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text) // eslint-disable-line no-control-regex -- the range is the point
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
