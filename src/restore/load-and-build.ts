import { type Task, runTasks } from '../core/tasks.ts'
import { countRows } from '../postgres/copy/copy-text.ts'
import { setSequenceStatement } from '../postgres/catalog/sequences.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { describeLargeObjects, dropLargeObjects, loadLargeObjects } from '../postgres/catalog/large-objects.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'
import type { StreamRef } from '../repository/chunks/stream-ref.ts'
import { type BuildOptions, buildTasks, endOfBuilds, splitAfterData } from './build-tasks.ts'
import { LargeObjectGaps } from './large-object-gaps.ts'
import { textEncodingOf, withEncoding } from './connect-for-text.ts'
import type { Connections, LoadJob } from './load-database.ts'
import { asRestoreFailure, loadTasks, type TablePart } from './load-tables.ts'
import type { Losses } from './losses.ts'
import { runEntries } from './run-entries.ts'
import { wholeRows } from './whole-rows.ts'

/** Fills tables, sequences and large objects; each table has its indexes and constraints built as soon as it is full. */
export async function loadAndBuild(job: LoadJob): Promise<void> {
  const { manifest, plan, connections, loaders, options } = job
  const { encoding } = manifest.database
  const speaking = (all: Connections, as: string) => (worker: number, signal: AbortSignal) =>
    withEncoding(all[worker] ?? all[0], as, signal)
  const textEncoding = textEncodingOf(manifest)
  const connectionOf = speaking(connections, textEncoding)
  const { readRows, readLargeObjects, onEntry } = observe(job)

  const loads = loadTasks(plan.tables, {
    connectionOf: speaking(loaders, encoding),
    read: readRows,
    mayTruncate: !options.intoExistingTables && !options.loader && !options.within,
  })
  const others = [sequenceTask(job, connectionOf), ...largeObjectTasks(job, connectionOf, readLargeObjects)]
  const everything: Task = { needs: [...loads, ...others], run: () => Promise.resolve() }

  const tables = new Map<string, Task[]>()
  for (const table of plan.tables) if (!table.loadVia) tables.set(keyOf(table), [])
  for (const load of loads) tables.get(keyOf(load.table))?.push(load)
  const bytes = new Map(plan.tables.map((table) => [keyOf(table), table.bytes]))
  const building: BuildOptions = {
    loads: tables,
    allLoads: [everything],
    bytesOf: (table) => bytes.get(table) ?? 0,
    run: async (entries, { worker, signal }) => {
      const connection = await connectionOf(worker, signal)
      await runEntries(connection, entries, { ...options, helpers: plan.helpers, onEntry, signal })
    },
  }
  const { early, rest } = splitAfterData(plan.afterData, (table) => tables.has(table))
  await runTasks([...others, ...loads, everything, ...buildTasks(early, building)], connections.length, options)
  for (const connection of connections) await withEncoding(connection, textEncoding, options.signal)
  // a run of builds side by side, and then what stands between it and the next
  for (let at = 0; at < rest.length;) {
    const end = endOfBuilds(rest, at)
    const builds = buildTasks(rest.slice(at, end), { ...building, loads: new Map(), allLoads: [] })
    const next: Task = { needs: builds, run: (how) => building.run(rest.slice(end, end + 1), how) }
    await runTasks([...builds, next], connections.length, options)
    at = end + 1
  }
}

/** Reports bytes while there are some to load, and then what is built; enters what is damaged where that is wanted. */
function observe({ reader, manifest, plan, options: { onProgress, losses } }: LoadJob) {
  const largeObjects = plan.largeObjects.length > 0 ? manifest.largeObjects?.contents.bytes : undefined
  const total = plan.tables.reduce((sum, table) => sum + table.bytes, largeObjects ?? 0)
  let done = 0
  let built = 0
  const observed = async function* (pieces: AsyncIterable<Uint8Array>, detail: string): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      done += piece.length
      onProgress?.({ phase: 'data', unit: 'bytes', done, total, detail })
      yield piece
    }
  }
  const readRows = ({ table, stream }: TablePart, signal: AbortSignal) =>
    observed(
      losses
        ? rowsAroundDamage(reader, { table, stream }, losses, signal)
        : reader.read(stream, { signal, lent: true }),
      `table ${table.schema}.${table.name}`,
    )
  const readLargeObjects = (stream: StreamRef, gaps: LargeObjectGaps, signal: AbortSignal) =>
    observed(
      losses ? gaps.follow(reader.readAround(stream, { signal })) : reader.read(stream, { signal, lent: true }),
      'large objects',
    )
  const onEntry = ({ name }: { readonly name: string }) => {
    const items = { unit: 'items', done: built++, total: plan.afterData.length } as const
    if (done >= total) onProgress?.({ phase: 'indexes and constraints', ...items, detail: name })
  }
  return { readRows, readLargeObjects, onEntry }
}

async function* rowsAroundDamage(
  reader: RepositoryReader,
  { table, stream }: TablePart,
  losses: Losses,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const rows of wholeRows(reader.readAround(stream, { signal }), (damage) => losses.addGap(table, damage))) {
    losses.addRows(table, countRows(rows), rows.length)
    yield rows
  }
}

type ConnectionOf = (worker: number, signal: AbortSignal) => Promise<Connection>

function sequenceTask({ plan }: LoadJob, connectionOf: ConnectionOf): Task {
  const run: Task['run'] = async ({ worker, signal }) => {
    const connection = await connectionOf(worker, signal)
    for (const sequence of plan.sequences) {
      try {
        await connection.execute(setSequenceStatement(sequence, connection), { signal })
      } catch (error) {
        throw asRestoreFailure(`sequence ${sequence.schema}.${sequence.name}`, error)
      }
    }
  }
  return { needs: [], run }
}

function largeObjectTasks(
  { manifest, plan: { largeObjects, choices }, options: { losses } }: LoadJob,
  connectionOf: ConnectionOf,
  read: ReturnType<typeof observe>['readLargeObjects'],
): Task[] {
  const contents = manifest.largeObjects?.contents
  if (!contents || largeObjects.length === 0) return []
  const run: Task['run'] = async ({ worker, signal }) => {
    const connection = await connectionOf(worker, signal)
    try {
      const gaps = new LargeObjectGaps()
      await loadLargeObjects(connection, largeObjects, read(contents, gaps, signal), { signal })
      const lost = largeObjects.filter(({ oid }) => gaps.lacks(oid))
      await dropLargeObjects(connection, lost, { signal })
      if (gaps.damage) {
        const oids = lost.map(({ oid }) => oid).join(', ')
        losses?.add('large objects', `lack ${lost.length} of ${largeObjects.length} (${oids})`, gaps.damage)
      }
      const whole = largeObjects.filter(({ oid }) => !gaps.lacks(oid))
      const wanted = { owners: !choices.noOwner, privileges: !choices.noPrivileges }
      await describeLargeObjects(connection, whole, { signal, ...wanted })
    } catch (error) {
      throw asRestoreFailure('large objects', error)
    }
  }
  return [{ needs: [], run }]
}
