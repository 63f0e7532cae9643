import { AppError } from '../core/app-error.ts'
import { type Relation, type SelectionPatterns, listRelations } from '../postgres/catalog/tables.ts'
import { Connection } from '../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { quoteQualified } from '../postgres/sql/quote.ts'
import { prepareForReading } from '../postgres/wire/session-settings.ts'

const locksPerStatement = 500
const attempts = 10
/** Longer than a busy system's DDL takes, shorter than an operator's patience with silence. */
const usualLockTimeoutMs = 60_000

interface TakeOptions {
  /** How long a lock of another session is waited for; absent: a minute. */
  readonly lockTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A connection that holds ACCESS SHARE on every table and, in the same transaction, the snapshot that all else reads.
 * The locks come first and the list is read again afterwards, so no table can be rewritten or replaced between the two:
 * a rewrite under a snapshot loses rows without an error (VACUUM FULL, CLUSTER, TRUNCATE, ALTER TYPE).
 */
export class LockedSnapshot implements AsyncDisposable {
  readonly connection: Connection
  readonly name: string
  readonly relations: readonly Relation[]

  private constructor(connection: Connection, name: string, relations: readonly Relation[]) {
    this.connection = connection
    this.name = name
    this.relations = relations
  }

  static async take(
    target: ConnectionTarget,
    selection: SelectionPatterns,
    options: TakeOptions = {},
  ): Promise<LockedSnapshot> {
    await using owned = new AsyncDisposableStack()
    const connection = owned.use(await Connection.connect(target, options))
    if (connection.serverVersionNumber < 130000) {
      throw new AppError('server-unsupported', `PostgreSQL ${connection.parameters.get('server_version')} is too old`, {
        hint: 'pgrevive backs up PostgreSQL 13 and later',
      })
    }
    if (connection.parameters.get('server_encoding') === 'SQL_ASCII') connection.encoding = 'latin1'
    await prepareForReading(connection)
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const expected = lockable(await listRelations(connection, selection, options))
      await connection.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', options)
      if (await lockTables(connection, expected, options)) {
        const [[name] = ['']] = await connection.query('SELECT pg_catalog.pg_export_snapshot()', options)
        const sized = expected.filter(({ kind }) => kind === 'r').map(({ oid }) => oid)
        const relations = await listRelations(connection, selection, { ...options, sized })
        if (identity(lockable(relations)) === identity(expected)) {
          refuseEmptySelection(relations, selection)
          owned.move()
          return new LockedSnapshot(connection, name ?? '', relations)
        }
      }
      await connection.execute('ROLLBACK', options)
    }
    throw new AppError('object-changed', 'tables are created, dropped or rewritten faster than they can be locked', {
      hint: 'run it again when no migration is running',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]()
  }
}

/** Patterns that match nothing are a mistake, not an empty backup. */
function refuseEmptySelection(relations: readonly Relation[], { schemas, tables }: SelectionPatterns): void {
  if (tables.length + schemas.length === 0 || relations.some(({ selected }) => selected)) return
  if (tables.length === 0) return // a schema may hold functions and types only
  throw new AppError('selection-empty', `no table matches ${tables.join(', ')}`, {
    hint: 'a name without a schema must be in the default search_path, as with pg_dump',
  })
}

function lockable(relations: readonly Relation[]): Relation[] {
  return relations.filter(({ kind, selected }) => selected && (kind === 'r' || kind === 'p'))
}

function identity(relations: readonly Relation[]): string {
  return relations.map(({ oid, relfilenode, schema, name }) => JSON.stringify([oid, relfilenode, schema, name])).join()
}

/** false: a table went away between the list and the lock. */
async function lockTables(connection: Connection, tables: readonly Relation[], options: TakeOptions): Promise<boolean> {
  const { lockTimeoutMs = usualLockTimeoutMs } = options
  try {
    await connection.execute(`SET LOCAL lock_timeout = ${lockTimeoutMs}`, options)
    for (let first = 0; first < tables.length; first += locksPerStatement) {
      const batch = tables.slice(first, first + locksPerStatement)
      const names = batch.map(({ schema, name }) => `ONLY ${quoteQualified(schema, name, connection)}`)
      await connection.execute(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`, options)
    }
    return true
  } catch (error) {
    const state = sqlStateOf(error)
    if (state === '42P01' || state === '3F000') return false // undefined table or schema
    if (state === '55P03') {
      throw new AppError('table-locked', `another session kept a table locked for ${lockTimeoutMs / 1000} s`, {
        cause: error,
        hint: 'find the session with "select * from pg_locks where mode = \'AccessExclusiveLock\'"',
      })
    }
    if (state === '53200') {
      throw new AppError('query-failed', `the server has no room for ${tables.length} table locks`, {
        cause: error,
        hint: 'raise max_locks_per_transaction and restart the server, or back up schemas one by one',
      })
    }
    throw error
  }
}
