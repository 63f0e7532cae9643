import { Duplex } from 'node:stream'

/** A connection of any kind: a socket is one. */
export type ByteStream = Duplex & {
  readonly bytesRead: number
  /** With what waits to be sent, as a socket counts. */
  readonly bytesWritten: number
}

/** What carries the bytes of a server. */
export interface Carrier {
  /** What of a chunk is the server's, in pieces; without it, all is. */
  unwrap?(chunk: Buffer): Iterable<Buffer>
  /** Why the stream has ended, if that was not the server's doing; `bytesRead` have come. */
  whyEnded(bytesRead: number): Error | undefined
}

/** A stream through something that is no socket, such as a channel of SSH: counts, and holds back whoever is too fast. */
export class TunnelStream extends Duplex {
  readonly #inner: Duplex
  #read = 0
  #flushed = 0

  /** Ends with `inner`, and ends it. */
  constructor(inner: Duplex, carrier: Carrier) {
    super({ allowHalfOpen: true })
    this.#inner = inner
    const end = () => {
      const why = carrier.whyEnded(this.#read)
      if (why) this.destroy(why)
      else this.push(null)
    }
    inner.on('data', (chunk: Buffer) => {
      for (const bytes of carrier.unwrap?.(chunk) ?? [chunk]) {
        this.#read += bytes.length
        if (!this.push(bytes)) inner.pause()
      }
    })
    inner.once('end', end)
    inner.on('error', (error) => this.destroy(error))
    inner.on('close', () => (inner.readableEnded ? undefined : end()))
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
