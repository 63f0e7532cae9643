import type { OnProgress } from '../core/progress.ts'
import { runTasks } from '../core/tasks.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'
import { createAdoptedTables } from './adopted-tables.ts'
import { collectStatistics, listTablesToAnalyze } from './collect-statistics.ts'
import { commentOnTables } from './comment-on-losses.ts'
import { hasLz4, planWithoutLz4 } from './column-compression.ts'
import { connectForText } from './connect-for-text.ts'
import { loadAndBuild } from './load-and-build.ts'
import type { Losses } from './losses.ts'
import { runEntries } from './run-entries.ts'

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
  /**
   * A connection with an open transaction, in which all is done; it is neither committed nor rolled back. Large objects
   * have transactions of their own, and so no place in it.
   */
  readonly within?: Connection | undefined
  /** Called when everything but event triggers is in place, in the transaction that makes those. */
  readonly beforeEventTriggers?: ((connection: Connection) => Promise<void>) | undefined
  /** Present: what is damaged in the repository is left out, and entered here. */
  readonly losses?: Losses | undefined
  readonly onNote: (note: string) => void
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export type Connections = readonly [Connection, ...Connection[]]

/** A plan that is being carried out. */
export interface LoadJob {
  readonly reader: RepositoryReader
  readonly manifest: Manifest
  readonly plan: RestorePlan
  /** One for each worker. */
  readonly connections: Connections
  /** One for each worker, for rows. */
  readonly loaders: Connections
  readonly options: LoadOptions
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
  const connectAll = async (to: ConnectionTarget): Promise<Connections> => {
    const connect = async () => stack.use(await connectForLoading(to, manifest, options))
    const connections: [Connection, ...Connection[]] = [await connect()]
    while (connections.length < options.jobs) connections.push(await connect())
    return connections
  }
  const connections: Connections = options.within ? [options.within] : await connectAll(target)
  const loaders = options.loader ? await connectAll(options.loader) : connections
  const [main] = connections
  const plan = (await hasLz4(main, options)) ? wanted : planWithoutLz4(wanted, options.onNote)
  const run = { ...options, helpers: plan.helpers }

  for (const schema of plan.missingSchemas) {
    await main.execute(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema, main)}`, options)
  }
  await runEntries(main, plan.beforeData, { ...run, onEntry: itemProgress('schema', plan.beforeData.length, options) })
  if (!options.intoExistingTables) await createAdoptedTables(main, plan.tables, options)
  await loadAndBuild({ reader, manifest, plan, connections, loaders, options })
  await runEntries(main, plan.privileges, run)
  await fillViews(connections, plan, options)
  if (options.losses) await commentOnTables(main, options.losses, options)
  // its commit waits for the disk, and with it for all that the other sessions committed before
  if (!options.within) await main.execute('BEGIN; SET LOCAL synchronous_commit TO DEFAULT', options)
  await options.beforeEventTriggers?.(main)
  await runEntries(main, plan.eventTriggers, run)
  if (!options.within) await main.execute('COMMIT', options)
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

function itemProgress(phase: string, total: number, { onProgress }: LoadOptions) {
  let done = 0
  return ({ name }: { name: string }) => onProgress?.({ phase, unit: 'items', done: done++, total, detail: name })
}

/** Materialized views one after the other, since one may read another, and statistics of everything beside them. */
async function fillViews(connections: Connections, plan: RestorePlan, options: LoadOptions): Promise<void> {
  const [main] = connections
  const analyzed = options.analyze ? await listTablesToAnalyze(main, plan, options) : []
  const onEntry = itemProgress('views and statistics', plan.viewData.length + analyzed.length, options)
  const views = {
    needs: [],
    run: ({ worker, signal }: { readonly worker: number; readonly signal: AbortSignal }) =>
      runEntries(connections[worker] ?? main, plan.viewData, { ...options, helpers: plan.helpers, onEntry, signal }),
  }
  const statistics = analyzed.map((table) => ({
    needs: table.isView ? [views] : [],
    run: async ({ worker, signal }: { readonly worker: number; readonly signal: AbortSignal }) => {
      onEntry(table)
      await collectStatistics(connections[worker] ?? main, table, { ...options, signal })
    },
  }))
  await runTasks([views, ...statistics], connections.length, options)
}
