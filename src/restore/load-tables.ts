import { AppError, hasCode, inContext } from '../core/app-error.ts'
import type { Task } from '../core/tasks.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { loadRows } from '../postgres/copy/load-rows.ts'
import { quoteQualified } from '../postgres/sql/quote.ts'
import type { ManifestTable } from '../repository/backups/manifest.ts'
import type { StreamRef } from '../repository/chunks/stream-ref.ts'

export interface LoadTablesOptions {
  /** The worker's connection, in the encoding of the data. */
  readonly connectionOf: (worker: number, signal: AbortSignal) => Promise<Connection>
  readonly read: (part: TablePart, signal: AbortSignal) => AsyncIterable<Uint8Array>
  /** The tables are this restore's own, and the user may empty them. */
  readonly mayTruncate: boolean
}

/** One of the streams that hold the rows of a table. */
export interface TablePart {
  readonly table: ManifestTable
  readonly stream: StreamRef
}

interface LoadTask extends Task {
  readonly table: ManifestTable
}

/**
 * A task for each part of a table, the largest first. Configuration tables of extensions are filled before all else and
 * in order, since they may refer to each other.
 */
export function loadTasks(tables: readonly ManifestTable[], options: LoadTablesOptions): LoadTask[] {
  const parts = tables.flatMap((table) => table.parts.map((stream) => ({ table, stream })))
  const first: LoadTask[] = []
  for (const part of parts.filter(({ table }) => table.extension)) {
    first.push(loadTask(part, { needs: first.slice(-1), ...options }))
  }
  const others = parts
    .filter(({ table }) => !table.extension && table.rows > 0)
    .toSorted((a, b) => b.stream.bytes - a.stream.bytes)
  return [...first, ...others.map((part) => loadTask(part, { needs: first.slice(-1), ...options }))]
}

function loadTask(
  part: TablePart,
  { needs, connectionOf, read, mayTruncate }: LoadTablesOptions & { readonly needs: readonly Task[] },
): LoadTask {
  const { table } = part
  const name = `table ${table.schema}.${table.name}`
  const run: Task['run'] = async ({ worker, signal }) => {
    try {
      const connection = await connectionOf(worker, signal)
      await loadPart(connection, part, read(part, signal), { mayTruncate, signal })
    } catch (error) {
      throw asRestoreFailure(name, error)
    }
  }
  return { table, needs, run }
}

/**
 * A table that this restore made and that one connection fills is emptied and filled in one transaction: such rows can
 * be frozen at once and, with wal_level minimal, need no WAL.
 */
async function loadPart(
  connection: Connection,
  { table, stream: { bytes } }: TablePart,
  rows: AsyncIterable<Uint8Array>,
  options: { readonly signal: AbortSignal; readonly mayTruncate: boolean },
): Promise<void> {
  const { columns, loadVia } = table
  const target = { ...(loadVia ?? table), columns }
  const alone = table.parts.length === 1 && !table.loadVia && !table.extension && options.mayTruncate
  if (!alone) return loadRows(connection, target, rows, { ...options, bytes, freeze: false })
  await connection.execute(`BEGIN; TRUNCATE ONLY ${quoteQualified(table.schema, table.name, connection)}`, options)
  await loadRows(connection, target, rows, { ...options, bytes, freeze: true })
  await connection.execute('COMMIT', options)
}

/** Whatever PostgreSQL refuses here is the restore's failure; damage in the repository and lost connections stay so. */
export function asRestoreFailure(object: string, error: unknown): unknown {
  if (!hasCode(error, 'query-failed', 'permission-denied')) return inContext(object, error)
  return new AppError('restore-failed', `${object}: ${error.message}`, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}
