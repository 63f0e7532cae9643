import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../../core/app-error.ts'
import type { ByteStream } from '../../core/byte-stream.ts'
import { connectionLoss } from './socket-error.ts'
import { headerBytes, type Message } from './messages.ts'

/** What is read ahead while nobody asks: enough to keep the server busy while a caller compresses or stores. */
const readAheadBytes = 256 * 1024
const largestMessageBytes = 0x4000_0000
/** Of a server that has not been authenticated yet. */
const largestGreetingBytes = 64 * 1024

/**
 * The messages on a socket, with back-pressure both ways. One caller at a time may wait on it. Once the socket breaks,
 * or `fail` was called, whatever had arrived before can still be received, and then every wait throws that failure.
 */
export class WireChannel {
  readonly socket: ByteStream
  readonly #place: string
  #chunks: Buffer[] = []
  /** How much of the first chunk has been read. */
  #offset = 0
  #available = 0
  #wake: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  #abandoned = false
  #limitBytes = largestGreetingBytes

  /** `place` names the server in messages. Who made the channel must `destroy` or `release` it. */
  constructor(socket: ByteStream, place: string) {
    this.socket = socket
    this.#place = place
    socket.on('data', this.#onData).on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onEnd)
    socket.resume()
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Somebody waits for the server, or for room to send. */
  get waiting(): boolean {
    return this.#wake !== undefined && !this.#failure
  }

  /** Bytes that have come and gone: it grows as long as anything moves. */
  get moved(): number {
    return this.socket.bytesRead + this.socket.bytesWritten - this.socket.writableLength
  }

  /** Makes the waiting call, and all that follow, throw `error`. The first failure stays. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#notify()
  }

  /** Until now only short messages were accepted: whoever answers first need not be the server. */
  allowLargeMessages(): void {
    this.#limitBytes = largestMessageBytes
  }

  /** Like `fail` with the signal's reason once it is aborted, until disposed. */
  failOn(signal: AbortSignal | undefined): Disposable {
    const abort = () => this.fail(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    return { [Symbol.dispose]: () => signal?.removeEventListener('abort', abort) }
  }

  /** The next message if all of it has arrived. */
  tryReceive(): Message | undefined {
    if (this.#available < headerBytes) return undefined
    const total = this.#messageBytes()
    if (this.#available < total) return undefined
    const first = this.#gather(total)
    const start = this.#offset
    this.#offset += total
    this.#available -= total
    return { type: first[start] ?? 0, body: first.subarray(start + headerBytes, start + total) }
  }

  async receive(): Promise<Message> {
    for (;;) {
      const message = this.tryReceive()
      if (message) return message
      await this.#arrival()
    }
  }

  /** The bytes of the next chunk as they came, but at least `minimum`. */
  async receiveBytes(minimum: number): Promise<Buffer> {
    while (this.#available < minimum) await this.#arrival()
    const bytes = this.#gather(minimum).subarray(this.#offset)
    this.#chunks.shift()
    this.#offset = 0
    this.#available -= bytes.length
    return bytes
  }

  /** Gives back the end of what `receiveBytes` has just returned. */
  unreceive(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#chunks.unshift(bytes)
    this.#available += bytes.length
  }

  /** Does not wait: follow it with `drain` where much is sent. */
  send(bytes: Uint8Array, onFlushed?: () => void): void {
    if (this.socket.writable) this.socket.write(bytes, onFlushed)
  }

  /** Waits until the socket takes more. Returns early on a failure, which the next `receive` throws. */
  async drain(): Promise<void> {
    if (!this.socket.writableNeedDrain) return
    this.socket.once('drain', this.#notify)
    try {
      while (this.socket.writableNeedDrain && !this.#failure) await this.#arrival()
    } finally {
      this.socket.off('drain', this.#notify)
    }
  }

  /** Hands the socket back, paused, without listeners, and nothing read ahead. */
  release(): ByteStream {
    if (this.#failure) throw this.#failure.error
    if (this.#available > 0) {
      throw new AppError('connection-lost', `${this.#place} sent bytes that nobody asked for`, {
        hint: 'check that nothing between pgrevive and the server tampers with the connection',
      })
    }
    this.socket.pause()
    this.socket.off('data', this.#onData).off('error', this.#onError).off('end', this.#onEnd).off('close', this.#onEnd)
    return this.socket
  }

  /** Says a last word, waits until the server has closed its side, `limitMs` at most, and closes the socket. */
  async close(lastMessage: Uint8Array, limitMs: number): Promise<void> {
    this.#abandon()
    if (this.socket.writable) {
      const ended = ['end', 'close', 'error'].map(
        (event) => new Promise<void>((resolve) => this.socket.once(event, () => resolve())),
      )
      this.socket.end(lastMessage)
      // What still comes is dropped, but must be read: a server that can not write does not listen.
      this.socket.resume()
      const stop = new AbortController()
      await Promise.race([...ended, delay(limitMs, undefined, { signal: stop.signal }).catch(() => undefined)])
      stop.abort()
    }
    this.destroy()
  }

  destroy(): void {
    this.#abandon()
    this.socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#abandoned) return
    this.#chunks.push(chunk)
    this.#available += chunk.length
    if (!this.#wake && this.#available >= readAheadBytes) this.socket.pause()
    this.#notify()
  }

  readonly #onError = (error: Error): void => this.fail(connectionLoss(error, this.#place))

  readonly #onEnd = (): void => this.fail(connectionLoss(undefined, this.#place))

  readonly #notify = (): void => {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #abandon(): void {
    this.fail(connectionLoss(undefined, this.#place))
    this.#abandoned = true
    this.#chunks = []
    this.#offset = 0
    this.#available = 0
  }

  #arrival(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure.error)
    if (this.socket.isPaused()) this.socket.resume()
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #messageBytes(): number {
    const length = this.#gather(headerBytes).readUInt32BE(this.#offset + 1)
    if (length >= 4 && length <= this.#limitBytes) return length + 1
    const error = new AppError('connection-lost', `${this.#place} sent a malformed message`, {
      hint: 'check that it is a PostgreSQL server',
    })
    this.fail(error)
    throw error
  }

  /** Makes the first chunk hold at least `count` unread bytes, of those that have arrived. Copies only if it is split. */
  #gather(count: number): Buffer {
    let first = this.#chunks[0]
    if (first && this.#offset === first.length) {
      this.#chunks.shift()
      this.#offset = 0
      first = this.#chunks[0]
    }
    if (!first || first.length - this.#offset >= count) return first ?? Buffer.alloc(0)
    let bytes = -this.#offset
    let chunks = 0
    while (bytes < count) bytes += this.#chunks[chunks++]?.length ?? count
    const gathered = Buffer.concat([first.subarray(this.#offset), ...this.#chunks.slice(1, chunks)])
    this.#chunks.splice(0, chunks, gathered)
    this.#offset = 0
    return gathered
  }
}
