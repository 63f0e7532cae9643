const unsafe =
  // C0 and C1 controls, line and paragraph separators, bidirectional controls, lone surrogates
  // oxlint-disable-next-line no-control-regex -- finding control characters is this expression's purpose
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/gu

/**
 * A name or text from a database, a server or a file, fit for one line of a terminal: whatever could move the cursor,
 * colour, reorder or break the line is written as `\xNN` or `\u{NNNN}`.
 */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** A text of several lines, each fit for a terminal; those after the first are indented. Tabs stay: they do no harm. */
export function printableLines(text: string, indent = 0): string {
  const lines = text.split(/\r?\n/).map((line) => line.split('\t').map(printable).join('\t'))
  return lines.join(`\n${' '.repeat(indent)}`)
}
