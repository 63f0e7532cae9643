import { headerBytes, encodeMessage, serverMessage } from '../wire/messages.ts'
import type { WireSession } from '../wire/session.ts'

const messageBytes = 128 * 1024
const letterD = 0x64

/**
 * Runs a COPY … FROM STDIN with what `source` yields, cut anywhere. Stops reading it as soon as the server refuses the
 * data. If the source throws, the COPY is undone and that error is thrown.
 */
export async function sendCopy(session: WireSession, sql: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const { channel } = session
  session.sendQuery(sql)
  await session.receive(serverMessage.copyInResponse)
  const gathered = new CopyDataBuffers((message, onFlushed) => channel.send(message, onFlushed))
  try {
    for await (const piece of source) {
      if (!gathered.add(piece)) continue
      await channel.drain()
      session.absorbArrived()
      if (session.refused || channel.failed) break
    }
  } catch (error) {
    if (!channel.failed) await undoCopy(session)
    throw error
  }
  if (!session.refused && !channel.failed) {
    gathered.flush()
    channel.send(encodeMessage('c'))
  }
  await session.finish()
}

/** Leaves the session usable; if it breaks, the source's error is still the one to report. */
async function undoCopy(session: WireSession): Promise<void> {
  session.failCopy('the source of the data failed')
  await session.finish().catch(() => undefined)
}

/** Gathers pieces into CopyData messages. Every piece is copied, as its owner may use its memory again. */
class CopyDataBuffers {
  readonly #send: (message: Uint8Array, onFlushed: () => void) => void
  readonly #spare: Buffer[] = []
  #buffer = this.#takeBuffer()
  #length = headerBytes

  constructor(send: (message: Uint8Array, onFlushed: () => void) => void) {
    this.#send = send
  }

  /** True if something was sent. */
  add(piece: Uint8Array): boolean {
    let sent = false
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + this.#buffer.length - this.#length)
      this.#buffer.set(part, this.#length)
      this.#length += part.length
      at += part.length
      if (this.#length < this.#buffer.length) continue
      this.flush()
      sent = true
    }
    return sent
  }

  flush(): void {
    if (this.#length === headerBytes) return
    const buffer = this.#buffer
    buffer[0] = letterD
    buffer.writeUInt32BE(this.#length - 1, 1)
    this.#send(buffer.subarray(0, this.#length), () => this.#spare.push(buffer))
    this.#buffer = this.#takeBuffer()
    this.#length = headerBytes
  }

  #takeBuffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(messageBytes)
  }
}
