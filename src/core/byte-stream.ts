import { Duplex } from 'node:stream'

/** A connection of any kind: a socket is one. */
export type ByteStream = Duplex & {
  readonly bytesRead: number
  /** With what waits to be sent, as a socket counts. */
  readonly bytesWritten: number
}

/** Takes the bytes of a server out of what carries them. */
export interface Unwrapping {
  /** What of a chunk is the server's, in pieces. */
  unwrap(chunk: Buffer): Iterable<Buffer>
  /** Why nothing came at all, if what carries the bytes told so. */
  readonly complaint: string
}

/** A stream through something that is no socket, such as a channel of SSH: counts, and holds back whoever is too fast. */
export class TunnelStream extends Duplex {
  readonly #inner: Duplex
  #read = 0
  #flushed = 0

  /** Ends with `inner`, and ends it. */
  constructor(inner: Duplex, wrapping?: Unwrapping) {
    super({ allowHalfOpen: true })
    this.#inner = inner
    inner.on('data', (chunk: Buffer) => {
      for (const bytes of wrapping ? wrapping.unwrap(chunk) : [chunk]) {
        this.#read += bytes.length
        if (!this.push(bytes)) inner.pause()
      }
    })
    inner.on('end', () => {
      if (this.#read === 0 && wrapping?.complaint) this.destroy(new Error(wrapping.complaint))
      else this.push(null)
    })
    inner.on('error', (error) => this.destroy(error))
    // without an end before it, the other side is gone
    inner.on('close', () => (this.readableEnded ? undefined : this.push(null)))
    inner.pause()
  }

  get bytesRead(): number {
    return this.#read
  }

  get bytesWritten(): number {
    return this.#flushed + this.writableLength
  }

  override _read(): void {
    this.#inner.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#inner.write(chunk, (error) => {
      if (!error) this.#flushed += chunk.length
      done(error)
    })
  }

  override _final(done: () => void): void {
    this.#inner.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner.on('error', () => undefined) // it is given up
    this.#inner.destroy()
    done(error)
  }
}
