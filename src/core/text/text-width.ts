interface Grapheme {
  readonly text: string
  readonly width: number
}

/** Made when the first text needs it: that takes longer than a short command. */
let graphemes: ((text: string) => Grapheme[]) | undefined

function createGraphemes(): (text: string) => Grapheme[] {
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
  const wide =
    /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\u{fe0f}|[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u{3000}-\u{303e}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}])/u
  const invisible = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u
  const widthOf = (text: string) => (invisible.test(text) ? 0 : wide.test(text) ? 2 : 1)
  return (text) => Array.from(segmenter.segment(text), ({ segment }) => ({ text: segment, width: widthOf(segment) }))
}

function graphemesOf(text: string): Grapheme[] {
  return (graphemes ??= createGraphemes())(text)
}

/** Columns that a printable text without escape codes takes on a terminal. */
export function textWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length
  return graphemesOf(text).reduce((sum, { width }) => sum + width, 0)
}

/** The text itself when it fits, else its beginning and "…", at most `columns` wide. */
export function truncateText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  let kept = ''
  let taken = 0
  for (const grapheme of graphemesOf(text)) {
    taken += grapheme.width
    if (taken > columns - 1) break
    kept += grapheme.text
  }
  return columns > 0 ? `${kept}…` : ''
}
