import type { Connection } from '../wire/connection.ts'
import { encodeCString, encodeMessage } from '../wire/messages.ts'

const query = 0x51
const terminate = 0x58
/** What a server says to a client that needs no password: AuthenticationOk. */
const authenticationOk = encodeMessage('R', Buffer.alloc(4))

/**
 * Plays the server for a pg_dump: takes its login as it comes, and runs its statements on `connection`, so that no secret
 * reaches the program, and all it reads is what that connection reads. If a transaction is open on it, as that of the
 * locks and the snapshot, pg_dump stays within: what it says about transactions is answered, not run. Its settings stay
 * behind, its prepared statements do not. Resolves when the program takes its leave; throws when the connection fails.
 */
export async function servePgDump(
  connection: Connection,
  program: { readonly sent: AsyncIterable<Uint8Array>; readonly reply: (bytes: Uint8Array) => void },
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const stayInside = connection.transaction === 'open'
  for await (const message of messagesOf(program.sent)) {
    if (message.startup) program.reply(Buffer.concat([authenticationOk, connection.greeting]))
    else if (message.type === terminate) break
    else if (message.type !== query) throw new Error(`pg_dump sent a message of type ${message.type}`)
    else {
      const answer = stayInside ? answerOf(message.bytes) : undefined
      if (answer) program.reply(answer)
      else for await (const bytes of connection.relay(message.bytes, options)) program.reply(bytes)
    }
  }
  if (!stayInside) await connection.execute('ROLLBACK', options)
  if (connection.transaction !== 'failed') await connection.execute('DEALLOCATE ALL', options)
}

/** For `BEGIN` and `SET TRANSACTION …`, as pg_dump writes them in setup_connection(). */
function answerOf(message: Buffer): Buffer | undefined {
  const command = /^(BEGIN$|SET(?= TRANSACTION ))/.exec(message.toString('latin1', 5, message.length - 1))?.[0]
  if (command === undefined) return undefined
  return Buffer.concat([encodeMessage('C', encodeCString(command)), encodeMessage('Z', Buffer.from('T'))])
}

interface ClientMessage {
  /** The first one, which has no type. */
  readonly startup: boolean
  readonly type: number | undefined
  readonly bytes: Buffer
}

async function* messagesOf(sent: AsyncIterable<Uint8Array>): AsyncGenerator<ClientMessage> {
  let bytes = Buffer.alloc(0)
  let startup = true
  for await (const piece of sent) {
    bytes = Buffer.concat([bytes, piece])
    for (;;) {
      const typeBytes = startup ? 0 : 1
      if (bytes.length < typeBytes + 4) break
      const length = typeBytes + bytes.readUInt32BE(typeBytes)
      if (bytes.length < length) break
      yield { startup, type: startup ? undefined : bytes[0], bytes: bytes.subarray(0, length) }
      bytes = bytes.subarray(length)
      startup = false
    }
  }
}
