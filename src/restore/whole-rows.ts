import { AppError } from '../core/app-error.ts'
import { lineFeed } from '../postgres/copy/copy-text.ts'

/**
 * COPY text as far as it can be read, in pieces of whole rows. Every row has a line of its own, so reading goes on behind
 * the first line feed after what is lost. `onGap` is called where rows are missing, between the pieces.
 */
export async function* wholeRows(
  pieces: AsyncIterable<Uint8Array | AppError>,
  onGap: (damage: AppError) => void,
): AsyncGenerator<Uint8Array> {
  /** The beginning of a row whose end has not come yet. */
  let begun: Uint8Array[] = []
  let isBroken = false
  for await (const piece of pieces) {
    if (piece instanceof AppError) {
      onGap(piece)
      begun = []
      isBroken = true
      continue
    }
    const start = isBroken ? piece.indexOf(lineFeed) + 1 : 0
    if (isBroken && start === 0) continue
    isBroken = false
    const end = piece.lastIndexOf(lineFeed) + 1
    if (end > start) {
      const rows = piece.subarray(start, end)
      yield begun.length === 0 ? rows : Buffer.concat([...begun, rows])
      begun = []
    }
    if (Math.max(start, end) < piece.length) begun.push(piece.subarray(Math.max(start, end)))
  }
  if (begun.length > 0) onGap(new AppError('object-damaged', 'the last row has no end'))
}
