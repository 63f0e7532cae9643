import type { LargeObjectContents } from '../postgres/copy/large-object-rows.ts'

/** A row for each of the pieces that come. */
const pieceBytes = 256 * 1024

/** The rows (oid, offset, bytea) that `fillLargeObjects` wants. */
export async function* largeObjectRows(objects: AsyncIterable<LargeObjectContents>): AsyncGenerator<Buffer> {
  for await (const { oid, bytes } of objects) {
    let offset = 0
    for await (const piece of bytes) {
      for (let at = 0; at < piece.length; at += pieceBytes) {
        const part = Buffer.from(piece.subarray(at, at + pieceBytes))
        yield Buffer.from(`${oid}\t${offset}\t\\\\x${part.toString('hex')}\n`, 'latin1')
        offset += part.length
      }
    }
  }
}
