import { forEachParallel } from '../../core/parallel.ts'
import type { AbortOptions, ByteRange } from '../object-store.ts'
import type { SftpConnection } from './sftp-connection.ts'

/** So much is under way at once of each file: what sftp(1) has, 2 MiB. */
const pieceBytes = 128 * 1024
const piecesAtOnce = 16

/** Writes `parts`, joined, to a file that is empty. */
export async function writeParts(
  connection: SftpConnection,
  handle: Buffer,
  parts: readonly Uint8Array[],
  options: AbortOptions,
): Promise<void> {
  await forEachParallel(
    piecesOf(parts),
    piecesAtOnce,
    ({ bytes, position }) => connection.write(handle, bytes, position),
    options,
  )
}

/** What there is of the range. */
export async function readRange(
  connection: SftpConnection,
  handle: Buffer,
  { offset: start, length }: ByteRange,
  options: AbortOptions,
): Promise<Buffer> {
  const into = Buffer.allocUnsafe(length)
  let end = length
  const offsets = Array.from({ length: Math.ceil(length / pieceBytes) }, (_, index) => index * pieceBytes)
  await forEachParallel(
    offsets,
    piecesAtOnce,
    async (first) => {
      const last = Math.min(first + pieceBytes, length)
      for (let offset = first; offset < last;) {
        const read = await connection.read(handle, into, { offset, length: last - offset, position: start + offset })
        if (read === 0) end = Math.min(end, offset)
        offset = read === 0 ? last : offset + read // a server may give less than it is asked for
      }
    },
    options,
  )
  return into.subarray(0, end)
}

/** Small parts are joined, large ones cut. */
function* piecesOf(parts: readonly Uint8Array[]): Iterable<{ readonly bytes: Buffer; readonly position: number }> {
  let position = 0
  let small: Uint8Array[] = []
  let smallBytes = 0
  const join = () => {
    const piece = { bytes: Buffer.concat(small, smallBytes), position }
    position += smallBytes
    small = []
    smallBytes = 0
    return piece
  }
  for (const part of parts) {
    for (let offset = 0; offset < part.length;) {
      const taken = part.subarray(offset, offset + pieceBytes - smallBytes)
      small.push(taken)
      smallBytes += taken.length
      offset += taken.length
      if (smallBytes === pieceBytes) yield join()
    }
  }
  if (smallBytes > 0) yield join()
}
