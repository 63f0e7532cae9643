import type { Carrier } from '../core/byte-stream.ts'

const headerBytes = 8
const fromErrors = 2
const complaintBytes = 2000

/**
 * What a program printed, out of the frames of the Engine API ("Stream format" at ContainerAttach): a byte that is 1 for
 * stdout and 2 for stderr, three zeros, and the length of what follows in four bytes.
 */
export class OutputFrames implements Carrier {
  readonly #onErrors: (bytes: Buffer) => void
  /** What has come of the next frame's. */
  #header = Buffer.alloc(0)
  #kind: number | undefined
  #left = 0
  #errors = ''

  constructor(onErrors: (bytes: Buffer) => void = () => undefined) {
    this.#onErrors = onErrors
  }

  /** Of a program that printed nothing: the beginning of what it complained of. */
  whyEnded(bytesRead: number): Error | undefined {
    const complaint = this.#errors.trim()
    return bytesRead === 0 && complaint !== '' ? new Error(complaint) : undefined
  }

  unwrap(chunk: Buffer): Buffer[] {
    const output: Buffer[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#left === 0) {
        const more = chunk.subarray(at, at + headerBytes - this.#header.length)
        this.#header = Buffer.concat([this.#header, more])
        at += more.length
        if (this.#header.length < headerBytes) break
        this.#kind = this.#header[0]
        this.#left = this.#header.readUInt32BE(4)
        this.#header = Buffer.alloc(0)
        continue
      }
      const bytes = chunk.subarray(at, at + this.#left)
      at += bytes.length
      this.#left -= bytes.length
      if (this.#kind === fromErrors) this.#noteErrors(bytes)
      else output.push(bytes)
    }
    return output
  }

  #noteErrors(bytes: Buffer): void {
    this.#onErrors(bytes)
    if (this.#errors.length < complaintBytes) this.#errors += bytes.toString('utf8', 0, complaintBytes)
  }
}
