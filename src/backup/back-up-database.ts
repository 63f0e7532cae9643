import { toolVersion } from '../core/tool-version.ts'
import { listExtensions, readDatabaseProperties, readServerFacts } from '../postgres/catalog-database.ts'
import { readSequences } from '../postgres/catalog-sequences.ts'
import { type ConnectionTarget, describeTarget } from '../postgres/connection-target.ts'
import { readServerGlobals } from '../postgres/server-globals.ts'
import type { BackupRecord } from '../repository/backup-record.ts'
import type { Manifest } from '../repository/manifest.ts'
import type { Repository } from '../repository/repository.ts'
import type { WritingSession } from '../repository/writing-session.ts'
import type { BackupOptions } from './backup-options.ts'
import { LockedSnapshot } from './locked-snapshot.ts'
import { readContents } from './read-contents.ts'
import { writeStream } from './write-stream.ts'

/** Backs up one database. Nothing counts until the record is written, last; a failure before leaves none. */
export async function backUpDatabase(
  target: ConnectionTarget,
  repository: Repository,
  options: BackupOptions,
): Promise<{ id: string; record: BackupRecord }> {
  const startedAt = new Date()
  await using snapshot = await LockedSnapshot.take(target, options.selection, options)
  await using session = await repository.startSession(options)
  const manifest = await readManifest(snapshot, session, options)
  const manifestRef = await writeStream(session, 'meta', Buffer.from(JSON.stringify(manifest)))
  await session.store()
  const { server, sequences, tables, largeObjects } = manifest
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
    snapshot: { at: manifest.snapshot.at, lsn: manifest.snapshot.lsn },
    selection: options.selection,
    totals: {
      tables: tables.length + manifest.tablesWithoutData.length,
      rows: tables.reduce((sum, table) => sum + table.rows, 0),
      bytes: tables.reduce((sum, table) => sum + table.bytes, largeObjects?.bytes ?? 0),
      sequences: sequences.length,
      largeObjects: largeObjects?.count ?? 0,
    },
    added: { bytes: session.stats.storedBytes, chunks: session.stats.newChunks, ofChunks: session.stats.chunks },
    manifest: manifestRef,
  }
  options.signal?.throwIfAborted()
  const { id } = await session.commit(record)
  return { id, record }
}

async function readManifest(
  snapshot: LockedSnapshot,
  session: WritingSession,
  options: BackupOptions,
): Promise<Manifest> {
  const { connection, relations } = snapshot
  const { selection } = options
  const chosen = relations.filter(({ selected }) => selected)
  const sequences = selection.content === 'schema-only' ? [] : chosen.filter(({ kind }) => kind === 'S')
  const server = await readServerFacts(connection, options)
  const globals = await readServerGlobals(connection, options)
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
    sequences: await readSequences(connection, sequences, options),
    extensions: await listExtensions(connection, options),
    globals: await writeStream(session, 'data', Buffer.from(JSON.stringify(globals))),
    roles: globals.roles.map(({ name }) => name),
    rolePasswords: globals.passwords,
    tablespaces: globals.tablespaces.map(({ name }) => name),
    materializedViews: chosen
      .filter(({ kind }) => kind === 'm')
      .map(({ schema, name, populated }) => ({ schema, name, populated })),
    ...(await readContents(snapshot, server, session, options)),
  }
}
