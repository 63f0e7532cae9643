import { AppError, hasCode } from '../core/app-error.ts'
import { RunTime } from '../core/run-time.ts'
import { toolVersion } from '../core/tool-version.ts'
import { listExtensions, readDatabaseProperties, readServerFacts } from '../postgres/catalog/database.ts'
import { readSequences } from '../postgres/catalog/sequences.ts'
import type { Relation } from '../postgres/catalog/tables.ts'
import { type ConnectionTarget, describeTarget } from '../postgres/target/connection-target.ts'
import { exactPattern } from '../postgres/sql/name-pattern.ts'
import { listHiddenUserMappings } from '../postgres/catalog/hidden-user-mappings.ts'
import { readServerGlobals } from '../postgres/catalog/server-globals.ts'
import type { BackupRecord } from '../repository/backups/backup-record.ts'
import { type Manifest, type Selection, warningsOf } from '../repository/backups/manifest.ts'
import { withStreams } from '../repository/backups/manifest-streams.ts'
import type { Repository } from '../repository/repository.ts'
import type { BackupOptions, ReadOptions } from './backup-options.ts'
import { withOrigin } from './backup-origin.ts'
import { explainDenial } from './explain-denial.ts'
import { LockedSnapshot } from './locked-snapshot.ts'
import { readContents } from './read-contents.ts'
import { refuseUnfinished } from './refuse-unfinished.ts'
import { type LeftBehind, SessionGroup } from './session-group.ts'
import { type StreamSink, writeStream } from './write-stream.ts'

export interface BackedUp {
  /** The same in every repository. */
  readonly id: string
  /** The record of the first repository that holds it. */
  readonly record: BackupRecord
  /** What is missing though nobody left it out. */
  readonly warnings: readonly string[]
  /** By repository; at least one. They differ in what was added. */
  readonly stored: ReadonlyMap<Repository, BackupRecord>
  /** Repositories that do not hold it. */
  readonly failed: readonly LeftBehind[]
}

/**
 * Backs up one database into one repository or several; it is read once. Nothing counts until a record is written, last; a
 * failure before leaves none. One of several repositories that fails does not stop the others.
 */
export async function backUpDatabase(
  target: ConnectionTarget,
  repositories: readonly Repository[],
  options: BackupOptions,
): Promise<BackedUp> {
  const runTime = new RunTime()
  await using group = await SessionGroup.start(repositories, options)
  const { origin } = options
  const read = await readDatabase(target, group, { refuseUnfinished: !origin, ...options, rolePasswords: !origin })
  const manifest = origin ? withOrigin(read, origin) : read
  const manifests = await group.each(async (member) => {
    const there = withStreams(manifest, (stream) => group.streamOf(member, stream))
    const stream = await writeStream(member.session, 'meta', Buffer.from(JSON.stringify(there)))
    await member.session.store()
    return stream
  })
  const record = { ...recordOf(target, manifest, options), ...(origin ? onlyAt(origin.at) : runTime.untilNow()) }
  options.signal?.throwIfAborted()
  // the same id everywhere, later than all that are there
  const ids = await group.each(({ session }) => session.nextId())
  const id = [...ids.values()].toSorted().at(-1) ?? ''
  const stored = await group.each(async (member) => {
    const stream = manifests.get(member)
    if (!stream) throw new Error('a manifest was written nowhere')
    const { storedBytes, newChunks, chunks } = member.session.stats
    const added = { bytes: storedBytes, chunks: newChunks, ofChunks: chunks }
    const body: BackupRecord = { ...record, added, manifest: stream }
    await member.session.commit(body, { id })
    return body
  })
  const [first] = stored.values()
  if (!first) throw new Error('a record was written nowhere')
  return {
    id,
    record: first,
    warnings: warningsOf(manifest),
    stored: new Map([...stored].map(([{ repository }, body]) => [repository, body])),
    failed: group.leftBehind,
  }
}

function recordOf(
  target: ConnectionTarget,
  { server, snapshot, sequences, tables, tablesWithoutData, largeObjects }: Manifest,
  { database, comment, origin, selection }: BackupOptions,
) {
  return {
    format: 1,
    kind: 'logical',
    tool: toolVersion,
    database,
    source: origin?.source ?? describeTarget(target),
    ...(comment === undefined ? {} : { comment }),
    ...(origin ? { imported: origin.imported } : {}),
    serverVersion: server.version,
    snapshot: { at: snapshot.at, lsn: snapshot.lsn },
    selection,
    totals: {
      tables: tables.length + tablesWithoutData.length,
      rows: tables.reduce((sum, table) => sum + table.rows, 0),
      bytes: tables.reduce((sum, table) => sum + table.bytes, largeObjects?.bytes ?? 0),
      sequences: sequences.length,
      largeObjects: largeObjects?.count ?? 0,
    },
  } satisfies Partial<BackupRecord>
}

function onlyAt(at: Date): { startedAt: string; finishedAt: string } {
  return { startedAt: at.toISOString(), finishedAt: at.toISOString() }
}

/** Reads what is selected of a database at one moment; its streams go to `sink`. */
export async function readDatabase(
  target: ConnectionTarget,
  sink: StreamSink,
  options: ReadOptions,
): Promise<Manifest> {
  try {
    return await readAtOneMoment(target, sink, options)
  } catch (error) {
    throw explainDenial(error)
  }
}

const attempts = 5

/**
 * PostgreSQL may find that the backup and somebody's DDL wait for each other, and stop the backup; and a standby ends whatever
 * stands in the way of its primary. Then all is let go and read at another moment: what was stored by then is not stored
 * again.
 */
async function readAtOneMoment(target: ConnectionTarget, sink: StreamSink, options: ReadOptions): Promise<Manifest> {
  for (let attempt = 1; ; attempt++) {
    await using snapshot = await LockedSnapshot.take(target, options.selection, options)
    try {
      if (options.refuseUnfinished) await refuseUnfinished(snapshot.connection, options)
      const manifest = await readManifest(snapshot, sink, { ...options, selection: wholeSelection(snapshot, options) })
      // Throws if the connection was lost, and with it the locks: then tables may have been rewritten under the snapshot.
      await snapshot.connection.execute('COMMIT', options)
      return manifest
    } catch (error) {
      if (!hasCode(error, 'table-locked', 'standby-conflict')) throw error
      if (attempt < attempts) continue
      const problem =
        error.code === 'table-locked'
          ? 'other sessions wanted to change tables'
          : 'the standby ended the session to follow its primary'
      throw new AppError(error.code, `${problem}, ${attempts} times in a row`, {
        cause: error,
        hint: error.hint ?? 'run it again when no migration is running',
      })
    }
  }
}

/** With the names of the partitions that selected tables stand for: pg_dump must be told. */
function wholeSelection({ relations }: LockedSnapshot, { selection }: ReadOptions): Selection {
  const implied = relations.filter((relation) => relation.implied).map(exactPattern)
  return { ...selection, tables: [...selection.tables, ...implied] }
}

/** Without its parents such a table could not be made again. */
function refuseOrphans(relations: readonly Relation[]): void {
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  for (const { selected, parents, schema, name } of relations) {
    const missing = parents.flatMap((oid) => byOid.get(oid) ?? []).filter((it) => it.kind === 'r' && !it.selected)
    if (!selected || missing.length === 0) continue
    const names = missing.map(exactPattern)
    throw new AppError('usage-invalid', `table ${schema}.${name} inherits from ${names.join(', ')}, left out`, {
      hint: `select both, as with ${names.map((pattern) => `--table '${pattern}'`).join(' ')}, or neither`,
    })
  }
}

async function readManifest(snapshot: LockedSnapshot, sink: StreamSink, options: ReadOptions): Promise<Manifest> {
  const { connection, relations } = snapshot
  const { selection } = options
  if (selection.content !== 'data-only') refuseOrphans(relations)
  const chosen = relations.filter(({ selected }) => selected)
  const server = await readServerFacts(connection, options)
  const sequences = chosen.filter(({ kind }) => kind === 'S' && selection.content !== 'schema-only')
  const unreadable = chosen.filter(({ unlogged }) => unlogged && server.standby)
  const globals = await readServerGlobals(connection, { ...options, passwords: options.rolePasswords })
  return {
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
    selection,
    sequences: await readSequences(
      connection,
      sequences.filter((sequence) => !unreadable.includes(sequence)),
      options,
    ),
    sequencesWithoutState: sequences
      .filter((sequence) => unreadable.includes(sequence))
      .map(({ schema, name }) => ({ schema, name })),
    extensions: await listExtensions(connection, options),
    globals: await writeStream(sink, 'data', Buffer.from(JSON.stringify(globals))),
    roles: globals.roles.map(({ name }) => name),
    rolePasswords: globals.passwords,
    tablespaces: globals.tablespaces.map(({ name }) => name),
    materializedViews: chosen
      .filter(({ kind }) => kind === 'm')
      .map(({ schema, name, populated }) => ({ schema, name, populated })),
    warnings: [
      ...unloggedWarnings(unreadable, selection),
      ...(await listHiddenUserMappings(connection, options)).map(
        (mapping) => `the options of the user mapping of ${mapping} are missing: the role may not read them`,
      ),
    ],
    ...(await readContents(snapshot, server, sink, options)),
  }
}

function unloggedWarnings(unlogged: readonly Relation[], { content }: Selection): string[] {
  const wanted = unlogged.filter(({ kind, dataExcluded }) => (kind === 'r' && !dataExcluded) || kind === 'S')
  if (wanted.length === 0 || content === 'schema-only') return []
  const names = wanted.map(({ schema, name }) => `${schema}.${name}`).join(', ')
  return [`a standby has nothing but the definitions of unlogged tables and sequences: ${names}`]
}
