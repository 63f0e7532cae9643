import { AppError } from '../../core/app-error.ts'
import { lineFeed } from './copy-text.ts'

export interface LargeObjectContents {
  readonly oid: number
  /** To be read to its end before the next object is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>
}

/** What `copyLargeObjectsOut` gave, cut anywhere, as one object after the other. */
export async function* readLargeObjects(source: AsyncIterable<Uint8Array>): AsyncGenerator<LargeObjectContents> {
  await using rows = readRows(source)
  let row = await rows.next()
  while (!row.done) {
    const { oid } = row.value
    const bytes = async function* () {
      for (; !row.done && row.value.oid === oid; row = await rows.next()) yield row.value.bytes
    }
    yield { oid, bytes: bytes() }
  }
}

async function* readRows(source: AsyncIterable<Uint8Array>): AsyncGenerator<{ oid: number; bytes: Buffer }, undefined> {
  let pieces: Uint8Array[] = []
  for await (const piece of source) {
    let start = 0
    for (let end = piece.indexOf(lineFeed); end !== -1; end = piece.indexOf(lineFeed, start)) {
      yield parseRow(Buffer.concat([...pieces, piece.subarray(start, end)]))
      pieces = []
      start = end + 1
    }
    if (start < piece.length) pieces.push(piece.subarray(start))
  }
}

/** The rows of an object follow each other without a gap. */
function parseRow(row: Buffer): { oid: number; bytes: Buffer } {
  const [, oid, hex] = /^(\d+)\t\d+\t\\\\x([0-9a-f]*)$/.exec(row.toString('latin1')) ?? []
  if (hex === undefined) throw new AppError('object-damaged', 'a row of the large objects is not one')
  return { oid: Number(oid), bytes: Buffer.from(hex, 'hex') }
}
