import { giveBack } from '../wire/read-memory.ts'
import { RowWalker, type RowDigest } from './row-walker.ts'
import { headerBytes, serverMessage } from '../wire/messages.ts'
import type { WireSession } from '../wire/session.ts'

/**
 * The rows of a COPY … TO STDOUT, as the server formats them. Can be iterated once, and the statement is sent when that
 * begins. A piece is valid until the next one is asked for, and ends anywhere. Leaving the loop early, by break, throw or
 * abort, cancels the statement and ends the connection.
 */
export class CopyOut implements AsyncIterable<Uint8Array> {
  readonly #start: (walker: RowWalker) => AsyncGenerator<Uint8Array, void, undefined>
  #iterated = false
  #digest: RowDigest | undefined

  constructor(start: (walker: RowWalker) => AsyncGenerator<Uint8Array, void, undefined>) {
    this.#start = start
  }

  /** What was received; only after the loop has ended by itself. */
  get digest(): RowDigest {
    if (!this.#digest) throw new Error('a COPY has a digest only once all of it has been read')
    return this.#digest
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#iterated) throw new Error('a COPY can be read only once')
    this.#iterated = true
    const walker = RowWalker.take()
    yield* this.#start(walker)
    this.#digest = walker.finish()
  }
}

/** Runs the COPY. The session is `ready` again only if all of it was read, or the server refused it. */
export async function* receiveCopy(
  session: WireSession,
  sql: string,
  walker: RowWalker,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { channel } = session
  session.sendQuery(sql)
  await session.receive(serverMessage.copyOutResponse)
  for (;;) {
    // Another header always follows a row, so that waiting for one more can not last.
    const bytes = await channel.receiveBytes(headerBytes)
    const { rows, consumed } = walker.walk(bytes)
    if (consumed === bytes.length) giveBack(bytes)
    else channel.unreceive(bytes.subarray(consumed))
    if (rows.length > 0) yield rows
    if (bytes.length - consumed < headerBytes) continue
    const message = await channel.receive()
    if (message.type === serverMessage.copyDone) break
    session.absorb(message)
    if (session.refused) break
  }
  await session.finish()
}
