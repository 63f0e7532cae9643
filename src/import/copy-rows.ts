import { lineFeed } from '../postgres/copy/copy-text.ts'
import { type ByteReader, cutOff } from './byte-reader.ts'

const mark = Buffer.from('\n\\.')
const carriageReturn = 0x0d

/** COPY text up to the line `\.`, which is taken too. Throws `dump-damaged` if that does not come. */
export async function* copyRows(reader: ByteReader): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.from('\n') // as if there were a line before the first
  let unreal = 1
  for (;;) {
    const piece = await reader.piece()
    if (!piece) throw cutOff('a table')
    const text = Buffer.concat([held, piece])
    const end = findEnd(text)
    const ready = end ? end.start + 1 : Math.max(0, text.length - longestMark)
    if (ready > unreal) yield text.subarray(unreal, ready)
    unreal = Math.max(0, unreal - ready)
    if (end) return reader.unread(text.subarray(end.end))
    held = text.subarray(ready)
  }
}

const longestMark = 4

/** `start` is that of the line feed before it. */
function findEnd(text: Buffer): { readonly start: number; readonly end: number } | undefined {
  for (let start = text.indexOf(mark); start !== -1; start = text.indexOf(mark, start + 1)) {
    const after = start + mark.length
    if (text[after] === lineFeed) return { start, end: after + 1 }
    if (text[after] === carriageReturn && text[after + 1] === lineFeed) return { start, end: after + 2 }
  }
  return undefined
}
