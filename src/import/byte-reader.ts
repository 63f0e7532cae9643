import { AppError } from '../core/app-error.ts'

/** A stream, read in pieces of the reader's choice. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next bytes, which stay the next ones; fewer only at the end. */
  async peek(length: number): Promise<Buffer> {
    await this.#hold(length)
    return this.#held.subarray(0, length)
  }

  /** Throws `dump-damaged` if there are fewer. */
  async read(length: number): Promise<Buffer> {
    await this.#hold(length)
    if (this.#held.length < length) throw cutOff()
    const bytes = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(length)
    return bytes
  }

  /** What comes next, at most `limit` bytes; undefined at the end. */
  async piece(limit = Infinity): Promise<Buffer | undefined> {
    await this.#hold(1)
    if (this.#held.length === 0) return undefined
    const bytes = this.#held.subarray(0, limit)
    this.#held = this.#held.subarray(bytes.length)
    return bytes
  }

  /** So many bytes, piece by piece. Throws `dump-damaged` if there are fewer. */
  async *take(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0;) {
      const piece = await this.piece(left)
      if (!piece) throw cutOff()
      left -= piece.length
      yield piece
    }
  }

  async *rest(): AsyncGenerator<Buffer> {
    for (let piece = await this.piece(); piece; piece = await this.piece()) yield piece
  }

  async drain(): Promise<void> {
    while (await this.piece());
  }

  /** They become the next ones. */
  unread(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([bytes, this.#held])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held = Buffer.alloc(0)
    this.#ended = true
    await this.#source.return?.()
  }

  async #hold(length: number): Promise<void> {
    if (this.#held.length >= length || this.#ended) return
    const pieces: Uint8Array[] = this.#held.length === 0 ? [] : [this.#held]
    for (let held = this.#held.length; held < length;) {
      const next = await this.#source.next()
      if (next.done) {
        this.#ended = true
        break
      }
      pieces.push(next.value)
      held += next.value.length
    }
    const [only] = pieces
    const isBuffer = pieces.length === 1 && Buffer.isBuffer(only)
    this.#held = isBuffer ? only : Buffer.concat(pieces)
  }
}

export function cutOff(what = 'the dump'): AppError {
  return damagedDump(`${what} ends too early: it was cut off`)
}

export function damagedDump(message: string, cause?: unknown): AppError {
  return new AppError('dump-damaged', message, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'nothing of it was imported; look for another copy of the file, or make a new dump',
  })
}
