import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { describeHost, type ConnectionTarget, type Host } from '../target/connection-target.ts'
import { sendCopy } from '../copy/copy-in.ts'
import { CopyOut, receiveCopy } from '../copy/copy-out.ts'
import { establishSession, type Established, type EstablishOptions } from './establish-session.ts'
import { openSocket } from './open-socket.ts'
import type { RowWalker } from '../copy/row-walker.ts'
import { watchForStalls } from './stall-watch.ts'
import { WireChannel } from './channel.ts'
import { encodeCancelRequest, encodeCString, encodeMessage, type WireEncoding } from './messages.ts'
import type { Row, WireSession } from './session.ts'

export type { Row } from './session.ts'

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined
}

/** How long a cancellation or a farewell may take. */
const farewellMs = 2_000

/**
 * A session with a PostgreSQL server, for one command at a time; a second one throws. A failed statement leaves it
 * usable. A broken connection, an abort and a COPY that is left early end it: what is called later throws
 * `connection-lost` or the failure that ended it. An aborted command is cancelled on the server and throws the signal's
 * reason.
 */
export class Connection implements AsyncDisposable {
  readonly target: ConnectionTarget
  /** The one of the target's hosts that answered. */
  readonly host: Host
  readonly #session: WireSession
  #processId: number | undefined
  #busy = false
  #over = false

  private constructor(target: ConnectionTarget, { session, host }: Established) {
    this.target = target
    this.host = host
    this.#session = session
  }

  /**
   * Throws `connection-failed`, `tls-failed`, `authentication-failed`, `database-missing`, `permission-denied` or the
   * signal's reason. client_encoding is UTF8 unless `parameters` says otherwise.
   */
  static async connect(target: ConnectionTarget, options: EstablishOptions = {}): Promise<Connection> {
    return new Connection(target, await establishSession(target, options))
  }

  /** Of the server's process, as the server says; a pooler says something else, and whoever knows better can set it. */
  get processId(): number {
    return this.#processId ?? this.#session.cancelKey.readInt32BE(0)
  }

  set processId(processId: number) {
    this.#processId = processId
  }

  /** What the server reports of its settings, kept current. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#session.parameters
  }

  /** 150018 for 15.18, 170000 for 17beta1; 0 if the server does not tell. */
  get serverVersionNumber(): number {
    const [, major = '0', minor = '0', patch] =
      /^(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(this.parameters.get('server_version') ?? '') ?? []
    return patch === undefined
      ? Number(major) * 10_000 + Number(minor)
      : Number(major) * 10_000 + Number(minor) * 100 + Number(patch)
  }

  /** `idle`, or whether a transaction is open or has failed, as of the last command. */
  get transaction(): 'idle' | 'open' | 'failed' {
    const status = this.#session.transactionStatus
    return status === 'T' ? 'open' : status === 'E' ? 'failed' : 'idle'
  }

  /** How SQL and results are turned into bytes; latin1 passes them as they are, for a client_encoding of SQL_ASCII. */
  get encoding(): WireEncoding {
    return this.#session.encoding
  }

  set encoding(encoding: WireEncoding) {
    this.#session.encoding = encoding
  }

  /** Runs statements and returns the rows of the last one that had any, all values as text. */
  async query(sql: string, options: CommandOptions = {}): Promise<Row[]> {
    await using _command = this.#begin(options.signal)
    return await this.#session.query(sql)
  }

  /** Runs any number of statements. */
  async execute(sql: string, options: CommandOptions = {}): Promise<void> {
    await this.query(sql, options)
  }

  /** `sql` is a COPY … TO STDOUT; nothing is sent until the result is iterated. */
  copyOut(sql: string, options: CommandOptions = {}): CopyOut {
    return new CopyOut((walker) => this.#copyOut(sql, walker, options.signal))
  }

  /**
   * Runs `sql`, a COPY … FROM STDIN, with the bytes of `source`, which may be cut anywhere and is closed in any case. It
   * should obey the same signal: while it is silent, an abort is not noticed.
   */
  async copyIn(sql: string, source: AsyncIterable<Uint8Array>, options: CommandOptions = {}): Promise<void> {
    await using _command = this.#begin(options.signal)
    await sendCopy(this.#session, sql, source)
  }

  /** What a server says to a client once it is content with a password, but for the key that cancels. */
  get greeting(): Buffer {
    const statuses = [...this.parameters].map((pair) => encodeMessage('S', ...pair.map((text) => encodeCString(text))))
    return Buffer.concat([...statuses, encodeMessage('Z', Buffer.from('I'))])
  }

  /** Runs another client's Query message, and gives the server's messages in answer, errors too, as they come. */
  async *relay(query: Uint8Array, options: CommandOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    await using _command = this.#begin(options.signal)
    yield* this.#session.relay(query)
  }

  /** Asks the server to cancel what the session is doing, through a socket of its own. Resolves once it has been told. */
  async cancel(options: CommandOptions = {}): Promise<void> {
    const { socket } = this.#session.channel
    const { remoteAddress, remotePort } = socket instanceof Socket && !this.host.connect ? socket : {}
    // The same server, even if its name has other addresses.
    const host = remoteAddress && remotePort ? { ...this.host, address: remoteAddress, port: remotePort } : this.host
    const encryption = socket instanceof TLSSocket ? 'required' : 'none'
    const asking = await openSocket(this.target, host, { ...options, encryption })
    await new WireChannel(asking, describeHost(this.host)).close(
      encodeCancelRequest(this.#session.cancelKey),
      farewellMs,
    )
  }

  /** Takes leave of the server and closes the socket; cancels a command that is under way. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#leave()
  }

  async *#copyOut(sql: string, walker: RowWalker, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    await using _command = this.#begin(signal)
    yield* receiveCopy(this.#session, sql, walker)
  }

  /** Claims the connection for a command. Disposing ends the connection if the command is not over by then. */
  #begin(signal: AbortSignal | undefined): AsyncDisposable {
    signal?.throwIfAborted()
    this.#claim()
    this.#busy = true
    const abort = this.#session.channel.failOn(signal)
    const watch = this.#watchForStalls()
    return {
      [Symbol.asyncDispose]: async () => {
        abort[Symbol.dispose]()
        watch[Symbol.dispose]()
        this.#busy = false
        if (!this.#session.ready) await this.#leave()
      },
    }
  }

  #watchForStalls(): Disposable {
    const { channel } = this.#session
    const { processId, host } = this
    const checkMs = this.target.stallCheckMs
    const target = { ...this.target, hosts: [host], targetSessionAttrs: 'any' } as const
    const ask = async (sql: string) => {
      const signal = AbortSignal.timeout(checkMs)
      await using other = await Connection.connect(target, { signal })
      return await other.query(sql, { signal })
    }
    return watchForStalls({ channel, processId, place: describeHost(host), checkMs, ask })
  }

  #claim(): void {
    if (this.#busy) throw new Error('the connection is busy with another command')
    if (this.#over) throw new Error('the connection has been closed')
  }

  /** Once the server has closed its side, the session no longer counts as a user of its database. */
  async #leave(): Promise<void> {
    const { channel, ready } = this.#session
    if (!ready && channel.socket.writable) {
      // A server that can not be told to stop is left to find out.
      await this.cancel({ signal: AbortSignal.timeout(farewellMs) }).catch(() => channel.destroy())
    }
    await channel.close(encodeMessage('X'), farewellMs)
  }
}
