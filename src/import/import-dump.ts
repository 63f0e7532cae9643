import { basename } from 'node:path'
import { type BackedUp, backUpDatabase } from '../backup/back-up-database.ts'
import type { OnProgress } from '../core/progress.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { PgDumpChoice } from '../postgres/pg-dump/pg-dump.ts'
import { explainFailureOn } from '../postgres/server/scratch-server.ts'
import type { BackupRecord } from '../repository/backups/backup-record.ts'
import { everything } from '../repository/backups/manifest.ts'
import type { Backup } from '../repository/backups/open-backup.ts'
import type { Repository } from '../repository/repository.ts'
import { FileSource } from './file-source.ts'
import type { DumpPath } from './find-dumps.ts'
import { ImportSession } from './import-session.ts'
import { startImportServer } from './import-server.ts'
import { type Dump, openDump } from './open-dump.ts'
import { type OriginalTime, nameFromPath, originalTime } from './original-time.ts'
import type { UnwrapOptions } from './unwrap.ts'

export interface ImportOptions extends UnwrapOptions {
  /** The name to list it under; else the dump's own database, else what is left of the file's name. */
  readonly database?: string | undefined
  readonly comment?: string | undefined
  /** The dump may do whatever the account of the scratch server may. */
  readonly trusted: boolean
  readonly jobs: number
  readonly pgDump: PgDumpChoice
  readonly environment: Environment
  /** What is in the repository: a dump that is among it is not imported again. */
  readonly backups: readonly Backup[]
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export type Imported = Pick<BackedUp, 'id' | 'record' | 'warnings'> & {
  /** It was there before. */
  readonly repeated: boolean
  readonly notes: readonly string[]
}

/**
 * Makes a backup of what pg_dump wrote: restores it on a scratch server and backs that up, under the time of the dump.
 * Nothing counts unless all of it was there.
 */
export async function importDump(
  dumpPath: DumpPath,
  repository: Repository,
  options: ImportOptions,
): Promise<Imported> {
  const { signal } = options
  const { path } = dumpPath
  const source = await FileSource.open(dumpPath, options)
  await using dump = await openDump(source, options)
  const time = originalTime(path, { createdAt: dump.createdAt, modifiedAt: source.modifiedAt, now: new Date() })
  const sha256 = await source.fingerprint()
  const known = options.backups.find(
    ({ record }) => record.imported?.sha256 === sha256 && record.snapshot.at === time.at.toISOString(),
  )
  if (known) return { id: known.id, record: known.record, warnings: [], notes: [], repeated: true }
  const notes: string[] = []
  if (!dump.saysLocale) notes.push('the dump does not say which locale its database had: C was taken')
  const onNote = (note: string) => {
    if (notes.length < mostNotes && !notes.includes(note)) notes.push(note)
  }
  await using scratch = await startImportServer(dump, { ...options, onNote })
  source.onRead = (done) =>
    options.onProgress?.({ phase: 'restore', unit: 'bytes', done, total: source.totalBytes, detail: basename(path) })
  try {
    await using session = await ImportSession.open(scratch.target, { ...options, onNote })
    await dump.restore(session)
    await session.finish()
  } catch (error) {
    signal?.throwIfAborted()
    throw await explainFailureOn(scratch.server, error, options)
  }
  await source.refuseChanged()
  const { name, ...database } = dump.database
  const listed = options.database ?? name ?? nameFromPath(path)
  const origin = {
    source: path,
    at: time.at,
    database: { ...database, name: name ?? listed },
    imported: describeImport(dump, source, { time, sha256, notes }),
  }
  const backedUp = await backUpDatabase(scratch.target, [repository], {
    ...options,
    database: listed,
    selection: everything,
    origin,
  })
  return { ...backedUp, repeated: false, notes }
}

const mostNotes = 20

function describeImport(
  { format, wrappings, serverVersion, dumpVersion }: Dump,
  { totalBytes }: FileSource,
  { time, sha256, notes }: { time: OriginalTime; sha256: string; notes: string[] },
): NonNullable<BackupRecord['imported']> {
  return {
    at: new Date().toISOString(),
    bytes: totalBytes,
    sha256,
    format,
    wrappings: [...wrappings],
    timeFrom: time.from,
    serverVersion,
    dumpVersion,
    notes,
  }
}
