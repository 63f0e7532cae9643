import { Connection } from '../postgres/wire/connection.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { quoteLiteral, quoteQualified } from '../postgres/sql/quote.ts'
import { prepareForReading } from '../postgres/wire/session-settings.ts'
import type { LockedSnapshot } from './locked-snapshot.ts'

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

/** Somebody else waits for, or holds, a lock that conflicts. */
const lockNotAvailable = '55P03'

/** Connections that read at one snapshot. */
export class SnapshotReaders implements AsyncDisposable {
  readonly #snapshot: LockedSnapshot
  readonly #connections = new Map<number, Connection>()
  /** Readers that wait for the lock holder's connection, one after the other. */
  #lockHolder: Promise<void> = Promise.resolve()

  constructor(snapshot: LockedSnapshot) {
    this.#snapshot = snapshot
  }

  /**
   * Runs `read` on the connection of `worker`, in a transaction of its own at the snapshot. A `table` is read in the
   * database's own encoding, so that the server converts nothing; without one, text comes as UTF-8. When somebody waits for an
   * exclusive lock on `table`, a reader would queue behind them and they behind the snapshot's own lock, for ever: then
   * the connection that holds that lock reads.
   */
  async read<Result>(
    worker: number,
    table: { readonly schema: string; readonly name: string } | undefined,
    read: (connection: Connection) => Promise<Result>,
    options: ReadOptions = {},
  ): Promise<Result> {
    const connection = await this.#connection(worker, options)
    const begin = [
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
      `SET TRANSACTION SNAPSHOT ${quoteLiteral(this.#snapshot.name)}`,
      ...(table
        ? [
            `SET LOCAL client_encoding = ${quoteLiteral(this.#serverEncoding)}`,
            `LOCK TABLE ONLY ${quoteQualified(table.schema, table.name, connection)} IN ACCESS SHARE MODE NOWAIT`,
          ]
        : []),
    ]
    try {
      await connection.execute(begin.join(';'), options)
    } catch (error) {
      if (sqlStateOf(error) === lockNotAvailable) {
        await connection.execute('ROLLBACK', options)
        return this.readOnLockHolder(read, options)
      }
      // The snapshot ends with the connection that exported it, whose end is then what failed.
      await this.readOnLockHolder((holder) => holder.query('SELECT', options), options)
      throw error
    }
    const result = await read(connection)
    await connection.execute('COMMIT', options)
    return result
  }

  /** Runs `read` on the connection that holds the locks and never waits for one, when its turn comes. */
  async readOnLockHolder<Result>(
    read: (connection: Connection) => Promise<Result>,
    options: ReadOptions,
  ): Promise<Result> {
    const { connection } = this.#snapshot
    const turn = this.#lockHolder.then(async () => {
      await connection.execute(`SET client_encoding = ${quoteLiteral(this.#serverEncoding)}`, options)
      const result = await read(connection)
      await connection.execute('SET client_encoding = UTF8', options)
      return result
    })
    this.#lockHolder = turn.then(
      () => undefined,
      () => undefined, // the one whose turn failed throws; the next finds the connection as it is
    )
    return turn
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => connection[Symbol.asyncDispose]()))
  }

  get #serverEncoding(): string {
    return this.#snapshot.connection.parameters.get('server_encoding') ?? 'UTF8'
  }

  async #connection(worker: number, options: ReadOptions): Promise<Connection> {
    const existing = this.#connections.get(worker)
    if (existing) return existing
    const { target, host, encoding } = this.#snapshot.connection
    const connection = await Connection.connect({ ...target, hosts: [host] }, options)
    connection.encoding = encoding
    this.#connections.set(worker, connection)
    await prepareForReading(connection)
    return connection
  }
}
