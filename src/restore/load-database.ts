import { AppError, hasCode, inContext } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import type { OnProgress } from '../core/progress.ts'
import { setSequenceStatement } from '../postgres/catalog-sequences.ts'
import { copyTarget } from '../postgres/catalog-tables.ts'
import type { Connection } from '../postgres/connection.ts'
import type { ConnectionTarget } from '../postgres/connection-target.ts'
import { describeLargeObjects, loadLargeObjects } from '../postgres/large-objects.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../postgres/quote.ts'
import { prepareForLoading } from '../postgres/session-settings.ts'
import type { Manifest, ManifestTable } from '../repository/manifest.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import type { StreamRef } from '../repository/stream-ref.ts'
import { createAdoptedTables } from './adopted-tables.ts'
import { hasLz4, planWithoutLz4 } from './column-compression.ts'
import { connectForText } from './connect-for-text.ts'
import type { RestorePlan } from '../repository/restore-plan.ts'
import { keyOf } from '../repository/restore-scope.ts'
import { type RunOptions, runEntries, runPostData } from './run-entries.ts'

export interface LoadOptions {
  readonly jobs: number
  readonly analyze: boolean
  /** Rows go into tables that were there before: triggers stay quiet, and nothing is emptied. */
  readonly intoExistingTables: boolean
  /**
   * Who loads the rows, if not the target's user. COPY evaluates CHECK constraints, domains and generated columns, that
   * is, code of the database's owner: not what a superuser should run.
   */
  readonly loader?: ConnectionTarget | undefined
  /** Called when everything but event triggers is in place, in the transaction that makes those. */
  readonly beforeEventTriggers?: ((connection: Connection) => Promise<void>) | undefined
  readonly onNote: (note: string) => void
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Carries out a plan in a database that is ready for it. */
export async function loadDatabase(
  reader: RepositoryReader,
  manifest: Manifest,
  wanted: RestorePlan,
  target: ConnectionTarget,
  options: LoadOptions,
): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const main = stack.use(await connectForLoading(target, manifest, options))
  const connections = [main]
  while (connections.length < options.jobs) {
    connections.push(stack.use(await connectForLoading(target, manifest, options)))
  }
  const plan = (await hasLz4(main, options)) ? wanted : planWithoutLz4(wanted, options.onNote)
  const run: RunOptions = { helpers: plan.helpers, onNote: options.onNote, signal: options.signal }

  for (const schema of plan.missingSchemas) {
    await main.execute(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema, main)}`, options)
  }
  await runEntries(main, plan.beforeData, { ...run, onEntry: itemProgress('schema', plan.beforeData.length, options) })
  if (!options.intoExistingTables) await createAdoptedTables(main, plan.tables, options)

  if (options.loader) {
    await using loading = await connectLoaders(options.loader, manifest, options)
    await loadTables(loading.connections, manifest, reader, plan, options)
  } else {
    await loadTables(connections, manifest, reader, plan, options)
  }
  for (const sequence of plan.sequences) {
    try {
      await main.execute(setSequenceStatement(sequence, main), options)
    } catch (error) {
      throw asRestoreFailure(`sequence ${sequence.schema}.${sequence.name}`, error)
    }
  }
  if (manifest.largeObjects && plan.largeObjects.length > 0) {
    await restoreLargeObjects(
      main,
      reader.read(manifest.largeObjects.contents, { ...options, lent: true }),
      plan,
      options,
    )
  }

  const bytesOf = new Map(manifest.tables.map((table) => [keyOf(table), table.bytes]))
  const { afterData, privilegesAndViews, eventTriggers } = plan
  const later = afterData.length + privilegesAndViews.length + eventTriggers.length
  const onEntry = itemProgress('indexes and constraints', later, options)
  await runPostData(connections, afterData, (table) => bytesOf.get(keyOf(table)) ?? 0, { ...run, onEntry })
  await runEntries(main, privilegesAndViews, { ...run, onEntry })
  if (options.analyze) await analyze(connections, plan, options)
  // its commit waits for the disk, and with it for all that the other sessions committed before
  await main.execute('BEGIN; SET LOCAL synchronous_commit TO DEFAULT', options)
  await options.beforeEventTriggers?.(main)
  await runEntries(main, eventTriggers, { ...run, onEntry })
  await main.execute('COMMIT', options)
}

async function restoreLargeObjects(
  connection: Connection,
  contents: AsyncIterable<Uint8Array>,
  { largeObjects, choices }: RestorePlan,
  options: LoadOptions,
): Promise<void> {
  options.onProgress?.({ phase: 'large objects', unit: 'items', total: largeObjects.length })
  try {
    await loadLargeObjects(connection, largeObjects, contents, options)
    await describeLargeObjects(connection, largeObjects, {
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

async function connectLoaders(loader: ConnectionTarget, manifest: Manifest, options: LoadOptions) {
  await using owned = new AsyncDisposableStack()
  const connections: Connection[] = []
  while (connections.length < Math.max(1, options.jobs)) {
    connections.push(owned.use(await connectForLoading(loader, manifest, options)))
  }
  const held = owned.move()
  return { connections, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

async function connectForLoading(
  target: ConnectionTarget,
  manifest: Manifest,
  options: LoadOptions,
): Promise<Connection> {
  const connection = await connectForText(target, manifest, options)
  await prepareForLoading(connection)
  if (options.intoExistingTables) {
    await connection.execute('SET session_replication_role = replica; RESET synchronous_commit', options)
  }
  return connection
}

type Part = { readonly table: ManifestTable; readonly stream: StreamRef }

/** Configuration tables of extensions first and in order, since they may refer to each other; then all else at once. */
async function loadTables(
  connections: readonly Connection[],
  { database: { encoding } }: Manifest,
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
      for await (const piece of reader.read(stream, { signal, lent: true })) {
        done += piece.length
        options.onProgress?.({ phase: 'data', unit: 'bytes', done, total, detail: `${table.schema}.${table.name}` })
        yield piece
      }
    }
    try {
      await loadPart(connection, table, counted(), {
        signal,
        mayTruncate: !options.intoExistingTables && !options.loader,
      })
    } catch (error) {
      throw asRestoreFailure(`table ${table.schema}.${table.name}`, error)
    }
  }
  for (const connection of connections) await setClientEncoding(connection, encoding, options)
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
  if (encoding === 'SQL_ASCII') return
  for (const connection of connections) await setClientEncoding(connection, 'UTF8', options)
}

async function setClientEncoding(connection: Connection, encoding: string, options: LoadOptions): Promise<void> {
  await connection.execute(`SET client_encoding = ${quoteLiteral(encoding)}`, { signal: options.signal })
}

/**
 * A table that this restore made and that one connection fills is emptied and filled in one transaction: such rows can
 * be frozen at once and, with wal_level minimal, need no WAL.
 */
async function loadPart(
  connection: Connection,
  table: ManifestTable,
  rows: AsyncIterable<Uint8Array>,
  options: { signal: AbortSignal | undefined; mayTruncate: boolean },
): Promise<void> {
  const { columns, loadVia } = table
  const copy = `COPY ${copyTarget({ ...(loadVia ?? table), columns }, connection)} FROM STDIN`
  const alone = table.parts.length === 1 && !table.loadVia && !table.extension && options.mayTruncate
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

async function analyze(connections: readonly Connection[], plan: RestorePlan, options: LoadOptions): Promise<void> {
  const [main] = connections
  if (!main) return
  const tables = (await main.query(tablesToAnalyze, options)).map(([schema, name]) => ({
    schema: schema ?? '',
    name: name ?? '',
  }))
  const chosen = options.intoExistingTables ? plan.tables : tables // what was there before is none of our business
  const progress = itemProgress('statistics', chosen.length, options)
  await forEachParallel(
    chosen,
    connections.length,
    async (table, { worker, signal }) => {
      progress(table)
      const connection = connections[worker] ?? main
      await connection.execute(`ANALYZE ${quoteQualified(table.schema, table.name, connection)}`, { signal })
    },
    options,
  )
}
