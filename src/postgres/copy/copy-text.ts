export const lineFeed = 0x0a

/** The number of rows that end in a piece of COPY text. */
export function countRows(piece: Uint8Array): number {
  let rows = 0
  for (let at = piece.indexOf(lineFeed); at !== -1; at = piece.indexOf(lineFeed, at + 1)) rows++
  return rows
}
