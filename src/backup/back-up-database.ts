import { inContext } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import type { OnProgress } from '../core/progress.ts'
import { type ServerFacts, listExtensions, readDatabaseProperties, readServerFacts } from '../postgres/catalog-database.ts'
import { readSequences } from '../postgres/catalog-sequences.ts'
import { type Relation, copyOutStatement } from '../postgres/catalog-tables.ts'
import type { Connection } from '../postgres/connection.ts'
import { type ConnectionTarget, describeTarget } from '../postgres/connection-target.ts'
import { copyLargeObjectsOut, listLargeObjects } from '../postgres/large-objects.ts'
import { type PgDumpChoice, choosePgDump, dumpSchema } from '../postgres/pg-dump.ts'
import { type RowDigest, addDigests, emptyDigest } from '../postgres/row-walker.ts'
import { readServerGlobals } from '../postgres/server-globals.ts'
import type { Environment } from '../postgres/connection-target.ts'
import type { BackupRecord } from '../repository/backup-record.ts'
import { type Manifest, type ManifestTable, type Selection, formatHash } from '../repository/manifest.ts'
import { pgDumpArguments } from '../repository/manifest-selection.ts'
import type { Repository } from '../repository/repository.ts'
import type { StreamRef } from '../repository/stream-ref.ts'
import type { WritingSession } from '../repository/writing-session.ts'
import { toolVersion } from '../core/tool-version.ts'
import { LockedSnapshot } from './locked-snapshot.ts'
import { SnapshotReaders } from './snapshot-readers.ts'
import { type TablePart, planParts } from './table-parts.ts'

export interface BackupOptions {
  /** The name under which `list` shows the database. */
  readonly database: string
  readonly selection: Selection
  readonly jobs: number
  readonly pgDump: PgDumpChoice
  readonly environment: Environment
  readonly comment?: string | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Backs up one database. Nothing counts until the record is written, last; a failure before leaves none. */
export async function backUpDatabase(
  target: ConnectionTarget,
  repository: Repository,
  options: BackupOptions,
): Promise<{ id: string; record: BackupRecord }> {
  const startedAt = new Date()
  await using snapshot = await LockedSnapshot.take(target, options.selection, options)
  await using session = await repository.startSession(options)
  const { connection } = snapshot
  const server = await readServerFacts(connection, options)
  const chosen = snapshot.relations.filter(({ selected }) => selected)
  const sequences = options.selection.content === 'schema-only' ? [] : chosen.filter(({ kind }) => kind === 'S')
  const manifest: Manifest = {
    format: 1,
    database: await readDatabaseProperties(connection, options),
    server: {
      version: server.version,
      versionNumber: connection.serverVersionNumber,
      systemIdentifier: server.systemIdentifier,
      standby: server.standby,
      settings: server.settings,
    },
    snapshot: { at: server.at, lsn: server.lsn, name: snapshot.name },
    selection: options.selection,
    sequences: await readSequences(connection, sequences, options),
    extensions: await listExtensions(connection, options),
    ...(await readGlobals(connection, session, options)),
    ...(await readContents(snapshot, server, session, options)),
    materializedViews: chosen
      .filter(({ kind }) => kind === 'm')
      .map(({ schema, name, populated }) => ({ schema, name, populated })),
  }
  const manifestRef = await writeStream(session, 'meta', Buffer.from(JSON.stringify(manifest)))
  await session.store()
  const { rows, bytes } = totalsOf(manifest)
  const record: BackupRecord = {
    format: 1,
    kind: 'logical',
    tool: toolVersion,
    database: options.database,
    source: describeTarget(target),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    serverVersion: server.version,
    snapshot: { at: server.at, lsn: server.lsn },
    selection: options.selection,
    totals: {
      tables: manifest.tables.length + manifest.tablesWithoutData.length,
      rows,
      bytes,
      sequences: manifest.sequences.length,
      largeObjects: manifest.largeObjects?.count ?? 0,
    },
    added: { bytes: session.stats.storedBytes, chunks: session.stats.newChunks, ofChunks: session.stats.chunks },
    manifest: manifestRef,
  }
  options.signal?.throwIfAborted()
  const { id } = await session.commit(record)
  return { id, record }
}

function totalsOf(manifest: Manifest): { rows: number; bytes: number } {
  const parts = [...manifest.tables, ...(manifest.largeObjects ? [manifest.largeObjects] : [])]
  return {
    rows: manifest.tables.reduce((sum, table) => sum + table.rows, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
  }
}

async function readGlobals(connection: Connection, session: WritingSession, options: BackupOptions) {
  const globals = await readServerGlobals(connection, options)
  return {
    globals: await writeStream(session, 'data', Buffer.from(JSON.stringify(globals))),
    roles: globals.roles.map(({ name }) => name),
    rolePasswords: globals.passwords,
    tablespaces: globals.tablespaces.map(({ name }) => name),
  }
}

type Contents = Pick<Manifest, 'pgDump' | 'schema' | 'tables' | 'tablesWithoutData' | 'largeObjects'>

/** The schema and every table at once, on `jobs` connections. */
async function readContents(
  snapshot: LockedSnapshot,
  server: ServerFacts,
  session: WritingSession,
  options: BackupOptions,
): Promise<Contents> {
  const { connection, relations } = snapshot
  const { selection } = options
  const tables = relations.filter(({ kind, selected }) => kind === 'r' && selected)
  const withData = tables.filter(
    ({ dataExcluded, unlogged }) =>
      selection.content !== 'schema-only' && !dataExcluded && !(server.standby && unlogged), // a standby has none of its rows
  )
  // pg_dump's rule: large objects belong to the whole database, not to some schemas or tables of it
  const takesLargeObjects =
    selection.content !== 'schema-only' && selection.schemas.length === 0 && selection.tables.length === 0
  const pgDump = await choosePgDump(Math.floor(connection.serverVersionNumber / 10000), options.pgDump, options)

  await using readers = new SnapshotReaders(snapshot)
  const parts = planParts(withData, {
    versionNumber: connection.serverVersionNumber,
    blockSize: Number(server.settings['block_size'] ?? 8192),
  })
  const finished = new Map<Relation, { position: number; stream: StreamRef; digest: RowDigest }[]>()
  const contents: { schema?: Manifest['schema']; largeObjects?: Manifest['largeObjects'] } = {}
  const progress = new PartProgress(parts, options.onProgress)

  const readSchema = async (_worker: number, signal: AbortSignal) => {
    const encoding = connection.encoding === 'latin1' ? 'SQL_ASCII' : 'UTF8'
    const dump = async (section: 'pre-data' | 'post-data') => {
      const text = await dumpSchema(
        pgDump,
        { ...connection.target, hosts: [connection.host] },
        {
          section,
          snapshot: snapshot.name,
          encoding,
          arguments: pgDumpArguments(selection),
          signal,
        },
      )
      return writeStream(session, 'data', text)
    }
    contents.schema = { preData: await dump('pre-data'), postData: await dump('post-data'), encoding }
  }
  const readPart = (part: TablePart) => async (worker: number, signal: AbortSignal) => {
    const { relation, position, condition } = part
    const columns = relation.loadVia?.columns ?? relation.columns
    const statement = copyOutStatement({ ...relation, columns, condition }, connection)
    try {
      const copied = await readers.read(
        worker,
        relation,
        (reader) =>
          copyToStream(reader, statement, session, { signal, onBytes: (bytes) => progress.advance(part, bytes) }),
        { signal },
      )
      finished.set(relation, [...(finished.get(relation) ?? []), { position, ...copied }])
      progress.finish(part)
    } catch (error) {
      throw inContext(`table ${relation.schema}.${relation.name}`, error)
    }
  }
  const readLargeObjects = async (worker: number, signal: AbortSignal) => {
    try {
      const objects = await listLargeObjects(connection, { signal })
      const properties = await writeStream(session, 'data', Buffer.from(JSON.stringify(objects)))
      const { stream, digest } = await readers.read(
        worker,
        undefined,
        (reader) => copyToStream(reader, copyLargeObjectsOut, session, { signal }),
        { signal },
      )
      contents.largeObjects = { count: objects.length, properties, ...digestFields(digest), contents: stream }
    } catch (error) {
      throw inContext('large objects', error)
    }
  }
  const tasks = [
    ...(selection.content === 'data-only' ? [] : [readSchema]),
    ...(takesLargeObjects ? [readLargeObjects] : []),
    ...parts.map(readPart),
  ]
  await forEachParallel(tasks, options.jobs, (task, { worker, signal }) => task(worker, signal), options)

  return {
    pgDump: { kind: pgDump.kind, version: pgDump.version },
    ...contents,
    tables: withData.toSorted(byLoadingOrder).map((relation) => manifestTable(relation, finished.get(relation) ?? [])),
    tablesWithoutData: tables
      .filter((relation) => !withData.includes(relation))
      .map(({ schema, name }) => ({ schema, name })),
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

function manifestTable(
  relation: Relation,
  parts: readonly { position: number; stream: StreamRef; digest: RowDigest }[],
): ManifestTable {
  const { loadVia, extension } = relation
  return {
    schema: relation.schema,
    name: relation.name,
    columns: loadVia?.columns ?? relation.columns,
    ...digestFields(parts.map(({ digest }) => digest).reduce(addDigests, emptyDigest)),
    parts: parts.toSorted((a, b) => a.position - b.position).map(({ stream }) => stream),
    ...(loadVia ? { loadVia: { schema: loadVia.schema, name: loadVia.name } } : {}),
    ...(extension
      ? { extension: { name: extension.name, condition: extension.condition, columns: extension.columns } }
      : {}),
  }
}

async function copyToStream(
  connection: Connection,
  statement: string,
  session: WritingSession,
  options: { signal: AbortSignal; onBytes?: (bytes: number) => void },
): Promise<{ stream: StreamRef; digest: RowDigest }> {
  const copy = connection.copyOut(statement, options)
  const writer = session.openStream('data')
  for await (const piece of copy) {
    options.onBytes?.(piece.length)
    await writer.write(piece)
  }
  return { stream: await writer.finish(), digest: copy.digest }
}

async function writeStream(session: WritingSession, kind: 'data' | 'meta', bytes: Uint8Array): Promise<StreamRef> {
  const writer = session.openStream(kind)
  await writer.write(bytes)
  return writer.finish()
}

/** Progress in bytes on disk: how long the COPY text will be is not known before it was read. */
class PartProgress {
  readonly #total: number
  readonly #onProgress: OnProgress | undefined
  readonly #started = new Map<TablePart, number>()
  #finishedWeight = 0

  constructor(parts: readonly TablePart[], onProgress: OnProgress | undefined) {
    this.#total = parts.reduce((sum, { weight }) => sum + weight, 0)
    this.#onProgress = onProgress
  }

  advance(part: TablePart, bytes: number): void {
    this.#started.set(part, (this.#started.get(part) ?? 0) + bytes)
    this.#report(part)
  }

  finish(part: TablePart): void {
    this.#started.delete(part)
    this.#finishedWeight += part.weight
    this.#report(part)
  }

  #report(part: TablePart): void {
    if (!this.#onProgress) return
    let done = this.#finishedWeight
    for (const [{ weight }, bytes] of this.#started) done += Math.min(bytes, weight)
    const { schema, name } = part.relation
    this.#onProgress({ phase: 'data', done, total: this.#total, unit: 'bytes', detail: `${schema}.${name}` })
  }
}
