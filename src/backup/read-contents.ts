import { inContext } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import type { ServerFacts } from '../postgres/catalog/database.ts'
import { type Relation, copyOutStatement } from '../postgres/catalog/tables.ts'
import { copyLargeObjectsOut, listLargeObjects } from '../postgres/catalog/large-objects.ts'
import { type PgDump, choosePgDump, dumpSchema } from '../postgres/pg-dump/pg-dump.ts'
import { type RowDigest, addDigests, emptyDigest } from '../postgres/copy/row-walker.ts'
import { pgDumpArguments } from '../repository/backups/manifest-selection.ts'
import { type Manifest, type ManifestTable, formatHash } from '../repository/backups/manifest.ts'
import type { StreamRef } from '../repository/chunks/stream-ref.ts'
import type { ReadOptions } from './backup-options.ts'
import type { LockedSnapshot } from './locked-snapshot.ts'
import { PartProgress } from './part-progress.ts'
import { SnapshotReaders } from './snapshot-readers.ts'
import { type TablePart, planParts } from './table-parts.ts'
import { type StreamSink, copyToStream, writeStream } from './write-stream.ts'

export type Contents = Pick<Manifest, 'pgDump' | 'schema' | 'tables' | 'tablesWithoutData' | 'largeObjects'>

/** Reads the schema, the tables and the large objects at once, on `jobs` connections. */
export async function readContents(
  snapshot: LockedSnapshot,
  server: ServerFacts,
  sink: StreamSink,
  options: ReadOptions,
): Promise<Contents> {
  await using readers = new SnapshotReaders(snapshot)
  return await new ContentsReader(snapshot, server, sink, readers, options).read()
}

interface StoredPart {
  readonly position: number
  readonly stream: StreamRef
  readonly digest: RowDigest
}

type Task = (worker: number, signal: AbortSignal) => Promise<void>

class ContentsReader {
  readonly #snapshot: LockedSnapshot
  readonly #sink: StreamSink
  readonly #readers: SnapshotReaders
  readonly #options: ReadOptions
  readonly #tables: readonly Relation[]
  readonly #withData: readonly Relation[]
  readonly #parts: readonly TablePart[]
  readonly #progress: PartProgress
  readonly #stored = new Map<Relation, StoredPart[]>()
  readonly #warnings = new Set<string>()
  #schema: Manifest['schema']
  #largeObjects: Manifest['largeObjects']

  constructor(
    snapshot: LockedSnapshot,
    server: ServerFacts,
    sink: StreamSink,
    readers: SnapshotReaders,
    options: ReadOptions,
  ) {
    this.#snapshot = snapshot
    this.#sink = sink
    this.#readers = readers
    this.#options = options
    this.#tables = snapshot.relations.filter(({ kind, selected }) => kind === 'r' && selected)
    const schemaOnly = options.selection.content === 'schema-only'
    this.#withData = this.#tables.filter(
      (table) =>
        !schemaOnly &&
        !table.dataExcluded &&
        // a standby has none of the rows of unlogged tables
        !(server.standby && table.unlogged) &&
        options.readsRowsOf?.(table) !== false,
    )
    this.#parts = planParts(this.#withData, {
      versionNumber: snapshot.connection.serverVersionNumber,
      blockSize: Number(server.settings['block_size'] ?? 8192),
    })
    this.#progress = new PartProgress(this.#parts, options.onProgress)
  }

  async read(): Promise<Contents> {
    const { selection, jobs, pgDump: choice } = this.#options
    const major = Math.floor(this.#snapshot.connection.serverVersionNumber / 10000)
    const pgDump = await choosePgDump(major, choice, this.#options)
    // pg_dump's rule: large objects belong to the whole database, not to some schemas or tables of it
    const whole = selection.schemas.length === 0 && selection.tables.length === 0
    const tasks: Task[] = [
      ...(selection.content === 'data-only' ? [] : [this.#readSchema(pgDump)]),
      ...(selection.content !== 'schema-only' && whole ? [this.#readLargeObjects] : []),
      ...this.#parts.map((part) => this.#readPart(part)),
    ]
    await forEachParallel(tasks, jobs, (task, { worker, signal }) => task(worker, signal), this.#options)
    return {
      pgDump: { kind: pgDump.kind, version: pgDump.version, warnings: [...this.#warnings] },
      ...(this.#schema ? { schema: this.#schema } : {}),
      tables: this.#withData
        .toSorted(byLoadingOrder)
        .map((table) => manifestTable(table, this.#stored.get(table) ?? [])),
      tablesWithoutData: this.#tables
        .filter((table) => !this.#withData.includes(table))
        .map(({ schema, name }) => ({ schema, name })),
      ...(this.#largeObjects ? { largeObjects: this.#largeObjects } : {}),
    }
  }

  #readSchema(pgDump: PgDump): Task {
    const encoding = this.#snapshot.connection.encoding === 'latin1' ? 'SQL_ASCII' : 'UTF8'
    return async (_worker, signal) => {
      const dump = async (section: 'pre-data' | 'post-data') => {
        const options = {
          section,
          encoding,
          arguments: pgDumpArguments(this.#options.selection),
          signal,
          onWarning: (warning: string) => this.#warnings.add(warning),
        }
        // elsewhere it would queue behind DDL that waits for our own locks
        const text = await this.#readers.readOnLockHolder((holder) => dumpSchema(pgDump, holder, options), { signal })
        this.#options.onSchema?.(section, text)
        return writeStream(this.#sink, 'data', text)
      }
      this.#schema = { preData: await dump('pre-data'), postData: await dump('post-data'), encoding }
    }
  }

  #readPart(part: TablePart): Task {
    const { relation, position, condition } = part
    const columns = relation.loadVia?.columns ?? relation.columns
    return async (worker, signal) => {
      const statement = copyOutStatement({ ...relation, columns, condition }, this.#snapshot.connection)
      const onBytes = (bytes: number) => this.#progress.advance(part, bytes)
      try {
        const copied = await this.#readers.read(
          worker,
          relation,
          (connection) => copyToStream(connection, statement, this.#sink, { signal, onBytes }),
          { signal },
        )
        this.#stored.set(relation, [...(this.#stored.get(relation) ?? []), { position, ...copied }])
        this.#progress.finish(part)
      } catch (error) {
        throw inContext(`table ${relation.schema}.${relation.name}`, error)
      }
    }
  }

  readonly #readLargeObjects: Task = async (worker, signal) => {
    try {
      const { objects, stream, digest } = await this.#readers.read(
        worker,
        undefined,
        async (connection) => ({
          objects: await listLargeObjects(connection, { signal }),
          ...(await copyToStream(connection, copyLargeObjectsOut, this.#sink, { signal })),
        }),
        { signal },
      )
      const properties = await writeStream(this.#sink, 'data', Buffer.from(JSON.stringify(objects)))
      this.#largeObjects = { count: objects.length, properties, ...digestFields(digest), contents: stream }
    } catch (error) {
      throw inContext('large objects', error)
    }
  }
}

/** Extensions' configuration tables come first, those that others refer to before the others. */
function byLoadingOrder(a: Relation, b: Relation): number {
  const rank = ({ extension }: Relation) => extension?.depth ?? Number.MAX_SAFE_INTEGER
  return rank(a) - rank(b)
}

function digestFields({ rows, bytes, hash }: RowDigest) {
  return { rows, bytes, hash: formatHash(hash) }
}

function manifestTable(relation: Relation, parts: readonly StoredPart[]): ManifestTable {
  const { schema, name, loadVia, extension } = relation
  return {
    schema,
    name,
    columns: loadVia?.columns ?? relation.columns,
    ...digestFields(parts.map(({ digest }) => digest).reduce(addDigests, emptyDigest)),
    parts: parts.toSorted((a, b) => a.position - b.position).map(({ stream }) => stream),
    ...(loadVia ? { loadVia: { schema: loadVia.schema, name: loadVia.name } } : {}),
    ...(extension
      ? { extension: { name: extension.name, condition: extension.condition, columns: extension.columns } }
      : {}),
  }
}
