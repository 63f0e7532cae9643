import { AppError, hasCode } from '../../core/app-error.ts'
import { translatePostgresError, type PostgresError, type PostgresReport } from './postgres-error.ts'
import type { WireChannel } from './channel.ts'
import {
  decodeCStrings,
  decodeError,
  decodeReport,
  decodeRow,
  encodeCString,
  encodeMessage,
  serverMessage,
  type Message,
  type WireEncoding,
} from './messages.ts'

export type Row = readonly (string | null)[]

/**
 * The simple query protocol on a channel: knows whether the server waits for a command, and keeps what the server
 * reports by the way. After a failure that leaves `ready` false the connection is of no more use.
 */
export class WireSession {
  readonly channel: WireChannel
  readonly parameters = new Map<string, string>()
  readonly onNotice: ((notice: PostgresReport) => void) | undefined
  encoding: WireEncoding = 'utf8'
  /** The body of BackendKeyData. */
  cancelKey: Buffer = Buffer.alloc(0)
  /** The server waits for a command. */
  ready = false
  /** `I` idle, `T` in a transaction, `E` in a failed one. */
  transactionStatus = 'I'
  #phase: 'starting' | 'use' = 'starting'
  #error: PostgresError | undefined

  constructor(channel: WireChannel, options: { onNotice?: ((notice: PostgresReport) => void) | undefined } = {}) {
    this.channel = channel
    this.onNotice = options.onNotice
  }

  /** Whether the current command has failed on the server, as far as has been received. */
  get refused(): boolean {
    return this.#error !== undefined
  }

  sendQuery(sql: string): void {
    const message = encodeMessage('Q', encodeCString(sql, this.encoding))
    this.ready = false
    this.#error = undefined
    this.channel.send(message)
  }

  /** Runs statements and returns the rows of the last one that had any. */
  async query(sql: string): Promise<Row[]> {
    this.sendQuery(sql)
    let rows: Row[] = []
    let misused = false
    while (!this.ready) {
      const message = this.channel.tryReceive() ?? (await this.#next())
      if (this.absorb(message)) continue
      if (message.type === serverMessage.rowDescription) rows = []
      else if (message.type === serverMessage.dataRow) rows.push(decodeRow(message.body, this.encoding))
      else if (message.type === serverMessage.copyInResponse) this.failCopy('COPY FROM STDIN has no data here')
      else if (message.type === serverMessage.copyOutResponse) misused = true
    }
    this.throwIfRefused()
    if (misused) throw new Error('COPY TO STDOUT was run as a query: its rows are lost')
    return rows
  }

  /** Sends a query as another client wrote it, and gives the server's answer as it comes, up to ReadyForQuery. */
  async *relay(query: Uint8Array): AsyncGenerator<Buffer, void, undefined> {
    this.ready = false
    this.#error = undefined
    this.channel.send(query)
    while (!this.ready) {
      const messages: Message[] = []
      for (let next: Message | undefined = await this.channel.receive(); next; next = this.channel.tryReceive()) {
        this.absorb(next)
        messages.push(next)
      }
      yield Buffer.concat(messages.map(({ type, body }) => encodeMessage(String.fromCharCode(type), body)))
    }
  }

  /** Receives up to the end of the command, and throws if it failed. */
  async finish(): Promise<void> {
    while (!this.ready) this.absorb(await this.#next())
    this.#phase = 'use'
    this.throwIfRefused()
  }

  /** Receives until a message of type `wanted`. Throws if the command ends before it comes. */
  async receive(wanted: number): Promise<Message> {
    while (!this.ready) {
      const message = await this.#next()
      if (message.type === wanted) return message
      this.absorb(message)
    }
    this.throwIfRefused()
    throw new AppError('query-failed', 'the statement is not the COPY that was expected')
  }

  /** Takes in what has arrived, without waiting. */
  absorbArrived(): void {
    for (let message = this.channel.tryReceive(); message; message = this.channel.tryReceive()) this.absorb(message)
  }

  /** Takes in a message that says something of the session. False for one that belongs to the command alone. */
  absorb({ type, body }: Message): boolean {
    switch (type) {
      case serverMessage.errorResponse:
        this.#refuse(decodeError(body, this.encoding))
        return true
      case serverMessage.noticeResponse:
        this.onNotice?.(decodeReport(body, this.encoding))
        return true
      case serverMessage.parameterStatus: {
        const [name, value] = decodeCStrings(body, this.encoding)
        // a server has some fifteen of them; another thing may send them without end
        if (name !== undefined && value !== undefined && this.parameters.size < 256) this.parameters.set(name, value)
        return true
      }
      case serverMessage.backendKeyData:
        this.cancelKey = Buffer.from(body)
        return true
      case serverMessage.readyForQuery:
        this.transactionStatus = body.toString('latin1')
        this.ready = true
        return true
      case serverMessage.notificationResponse:
        return true
      default:
        return false
    }
  }

  failCopy(reason: string): void {
    this.channel.send(encodeMessage('f', encodeCString(reason, this.encoding)))
  }

  throwIfRefused(): void {
    if (this.#error) throw translatePostgresError(this.#error, this.#phase)
  }

  /** Poolers say why they refuse and close the connection, without calling it fatal. */
  async #next(): Promise<Message> {
    try {
      return await this.channel.receive()
    } catch (error) {
      if (!this.#error || !hasCode(error, 'connection-lost')) throw error
      throw translatePostgresError(this.#error, this.#phase === 'use' ? 'ended' : this.#phase)
    }
  }

  /** After a fatal error the server closes the connection instead of waiting for a command. */
  #refuse(error: PostgresError): void {
    this.#error ??= error
    if (!error.isFatal) return
    const failure = translatePostgresError(error, this.#phase)
    this.channel.fail(failure)
    throw failure
  }
}
