import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'

/**
 * The body of an answer that says to be `length` bytes long; undefined, and read no further, if it is longer than
 * `mostBytes`. Rejects when it breaks off.
 */
export async function readBody(body: unknown, length: number, mostBytes: number): Promise<Buffer | undefined> {
  if (!(body instanceof Readable)) throw new TypeError('the answer has no body')
  const pieces: Buffer[] = []
  let bytes = 0
  let isTooLong = length > mostBytes
  body.on('data', (piece: Buffer) => {
    pieces.push(piece)
    bytes += piece.length
    if (bytes <= mostBytes) return
    isTooLong = true
    body.destroy()
  })
  if (isTooLong) body.destroy()
  try {
    await finished(body)
  } catch (error) {
    if (!isTooLong) throw error
  }
  return isTooLong ? undefined : Buffer.concat(pieces, bytes)
}
