import { AppError, hasCode, inContext } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import type { OnProgress } from '../core/progress.ts'
import { setSequenceStatement } from '../postgres/catalog-sequences.ts'
import { copyTarget } from '../postgres/catalog-tables.ts'
import { Connection } from '../postgres/connection.ts'
import type { ConnectionTarget } from '../postgres/connection-target.ts'
import { describeLargeObjects, loadLargeObjects } from '../postgres/large-objects.ts'
import { quoteQualified } from '../postgres/quote.ts'
import { prepareForLoading } from '../postgres/session-settings.ts'
import type { Manifest, ManifestTable } from '../repository/manifest.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import type { StreamRef } from '../repository/stream-ref.ts'
import { createAdoptedTables } from './adopted-tables.ts'
import { readLargeObjects } from './open-backup.ts'
import type { RestorePlan } from './restore-plan.ts'
import { type RunOptions, runEntries, runPostData } from './run-entries.ts'

export interface LoadOptions {
  readonly jobs: number
  readonly analyze: boolean
  /** Rows go into tables that were there before: triggers stay quiet, and nothing is emptied. */
  readonly intoExistingTables: boolean
  readonly onNote: (note: string) => void
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Carries out a plan in a database that is ready for it. */
export async function loadDatabase(
  reader: RepositoryReader,
  manifest: Manifest,
  plan: RestorePlan,
  target: ConnectionTarget,
  options: LoadOptions,
): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const connections: Connection[] = []
  for (let job = 0; job < Math.max(1, options.jobs); job++) {
    connections.push(stack.use(await connectForLoading(target, manifest, options)))
  }
  const [main] = connections
  if (!main) return
  const run: RunOptions = { helpers: plan.helpers, onNote: options.onNote, signal: options.signal }
  const useEncoding = async (data: boolean) => {
    const encoding = data ? manifest.database.encoding : (manifest.schema?.encoding ?? manifest.database.encoding)
    for (const connection of connections) await setClientEncoding(connection, encoding)
  }

  await useEncoding(false)
  await runEntries(main, plan.beforeData, { ...run, onEntry: itemProgress('schema', plan.beforeData.length, options) })
  if (!options.intoExistingTables) await createAdoptedTables(main, plan.tables, options)

  await useEncoding(true)
  await loadTables(connections, reader, plan, options)
  await useEncoding(false)
  for (const sequence of plan.sequences) {
    try {
      await main.execute(setSequenceStatement(sequence, main), options)
    } catch (error) {
      throw asRestoreFailure(`sequence ${sequence.schema}.${sequence.name}`, error)
    }
  }
  await restoreLargeObjects(main, reader, plan, options)

  const bytesOf = new Map(manifest.tables.map((table) => [JSON.stringify([table.schema, table.name]), table.bytes]))
  const later = plan.afterData.length + plan.last.length
  const afterProgress = itemProgress('indexes and constraints', later, options)
  await runPostData(
    connections,
    plan.afterData,
    ({ schema, name }) => bytesOf.get(JSON.stringify([schema, name])) ?? 0,
    { ...run, onEntry: afterProgress },
  )
  await runEntries(main, plan.last, { ...run, onEntry: afterProgress })
  if (options.analyze) await analyze(connections, options)
}

async function restoreLargeObjects(
  connection: Connection,
  reader: RepositoryReader,
  { largeObjects, choices }: RestorePlan,
  options: LoadOptions,
): Promise<void> {
  if (!largeObjects || largeObjects.count === 0) return
  options.onProgress?.({ phase: 'large objects', unit: 'items', total: largeObjects.count })
  const objects = await readLargeObjects(reader, largeObjects, options)
  const mapRole = (role: string) => choices.roleMap.get(role) ?? role
  const mapped = objects.map((object) => ({
    ...object,
    owner: mapRole(object.owner),
    grants:
      object.grants?.map((grant) => ({ ...grant, grantee: grant.grantee === null ? null : mapRole(grant.grantee) })) ??
      null,
  }))
  try {
    await loadLargeObjects(connection, mapped, reader.read(largeObjects.contents, options), options)
    await describeLargeObjects(connection, mapped, {
      signal: options.signal,
      owners: !choices.noOwner,
      privileges: !choices.noPrivileges,
    })
  } catch (error) {
    throw asRestoreFailure('large objects', error)
  }
}

function itemProgress(phase: string, total: number, { onProgress }: LoadOptions) {
  let done = 0
  return ({ name }: { name: string }) => onProgress?.({ phase, unit: 'items', done: done++, total, detail: name })
}

async function connectForLoading(
  target: ConnectionTarget,
  manifest: Manifest,
  options: LoadOptions,
): Promise<Connection> {
  const connection = await Connection.connect(target, options)
  if (manifest.database.encoding === 'SQL_ASCII') connection.encoding = 'latin1'
  await prepareForLoading(connection)
  if (options.intoExistingTables) await connection.execute('SET session_replication_role = replica', options)
  return connection
}

async function setClientEncoding(connection: Connection, encoding: string): Promise<void> {
  await connection.execute(`SET client_encoding = '${encoding.replaceAll("'", "''")}'`)
}

type Part = { readonly table: ManifestTable; readonly stream: StreamRef }

/** Configuration tables of extensions first and in order, since they may refer to each other; then all else at once. */
async function loadTables(
  connections: readonly Connection[],
  reader: RepositoryReader,
  plan: RestorePlan,
  options: LoadOptions,
): Promise<void> {
  const [main] = connections
  if (!main) return
  let done = 0
  const total = plan.tables.reduce((sum, { bytes }) => sum + bytes, 0)
  const load = async (connection: Connection, { table, stream }: Part, signal: AbortSignal | undefined) => {
    const counted = async function* () {
      for await (const piece of reader.read(stream, { signal })) {
        done += piece.length
        options.onProgress?.({ phase: 'data', unit: 'bytes', done, total, detail: `${table.schema}.${table.name}` })
        yield piece
      }
    }
    try {
      await loadPart(connection, table, counted(), { signal, intoExistingTables: options.intoExistingTables })
    } catch (error) {
      throw asRestoreFailure(`table ${table.schema}.${table.name}`, error)
    }
  }
  const partsOf = (tables: readonly ManifestTable[]) =>
    tables.flatMap((table) => table.parts.map((stream) => ({ table, stream })))

  for (const part of partsOf(plan.tables.filter(({ extension }) => extension))) await load(main, part, options.signal)
  const parts = partsOf(plan.tables.filter(({ extension, rows }) => !extension && rows > 0))
  await forEachParallel(
    parts.toSorted((a, b) => b.stream.bytes - a.stream.bytes),
    connections.length,
    async (part, { worker, signal }) => load(connections[worker] ?? main, part, signal),
    options,
  )
}

/**
 * A table that this restore made and that one connection fills is emptied and filled in one transaction: such rows can
 * be frozen at once and, with wal_level minimal, need no WAL.
 */
async function loadPart(
  connection: Connection,
  table: ManifestTable,
  rows: AsyncIterable<Uint8Array>,
  options: { signal: AbortSignal | undefined; intoExistingTables: boolean },
): Promise<void> {
  const { columns, loadVia } = table
  const copy = `COPY ${copyTarget({ ...(loadVia ?? table), columns }, connection)} FROM STDIN`
  const alone = table.parts.length === 1 && !table.loadVia && !table.extension && !options.intoExistingTables
  if (!alone) return connection.copyIn(copy, rows, options)
  await connection.execute(`BEGIN; TRUNCATE ONLY ${quoteQualified(table.schema, table.name, connection)}`, options)
  await connection.copyIn(`${copy} (FREEZE)`, rows, options)
  await connection.execute('COMMIT', options)
}

/** Whatever PostgreSQL refuses here is the restore's failure; damage in the repository and lost connections stay so. */
function asRestoreFailure(object: string, error: unknown): unknown {
  if (!hasCode(error, 'query-failed', 'permission-denied')) return inContext(object, error)
  return new AppError('restore-failed', `${object}: ${error.message}`, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}

/** A partitioned table's own statistics are made by nobody else; ANALYZE of it includes its partitions. */
const tablesToAnalyze = `
  SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence IN ('p', 'u')
    AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
  ORDER BY c.relkind OPERATOR(pg_catalog.=) 'p' DESC, pg_catalog.pg_relation_size(c.oid) DESC`

async function analyze(connections: readonly Connection[], options: LoadOptions): Promise<void> {
  const [main] = connections
  if (!main) return
  const tables = (await main.query(tablesToAnalyze, options)).map(([schema, name]) => ({
    schema: schema ?? '',
    name: name ?? '',
  }))
  const progress = itemProgress('statistics', tables.length, options)
  await forEachParallel(
    tables,
    connections.length,
    async (table, { worker, signal }) => {
      progress(table)
      const connection = connections[worker] ?? main
      await connection.execute(`ANALYZE ${quoteQualified(table.schema, table.name, connection)}`, { signal })
    },
    options,
  )
}
