import type { Writable } from 'node:stream'
import type { OnProgress } from '../core/progress.ts'
import { toolVersion } from '../core/tool-version.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { type Backup, readBackupTexts, readGlobals, readManifest } from '../repository/backups/open-backup.ts'
import type { Repository } from '../repository/repository.ts'
import { type RestoreChoices, planRestore, rolesOfPlan } from '../repository/backups/restore-plan.ts'
import { archiveEntries } from './archive-entries.ts'
import type { ArchiveFacts } from './archive-toc.ts'
import { type Compression, compressFile } from './compression.ts'
import { CustomArchive } from './custom-archive.ts'
import { writeDirectoryArchive } from './directory-archive.ts'
import { ExportData } from './export-data.ts'
import { globalsSql } from './globals-sql.ts'
import { Output, writeDirectory, writeFile, writeStream } from './output.ts'
import { plainSql } from './plain-sql.ts'
import { bufferEncoding } from './session-preamble.ts'
import { notesOnViews } from './view-notes.ts'

/** pg_dump's. Archives are compressed inside, by zlib alone. */
export const exportFormats = ['plain', 'custom', 'directory'] as const
export type ExportFormat = (typeof exportFormats)[number]

export interface ExportOptions {
  readonly choices: RestoreChoices
  readonly format: ExportFormat
  readonly compression: Compression
  /** Of a plain script, see there; archives leave both to pg_restore. */
  readonly create: boolean
  readonly singleTransaction: boolean
  /** Files that are written at the same time in a directory. */
  readonly jobs: number
  /** A path at which nothing is yet, or, but for a directory, a stream. */
  readonly output: string | Writable
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ExportOutcome {
  readonly tables: number
  readonly rows: number
  /** Of COPY text. */
  readonly bytes: number
  /** Roles that must exist where the export is brought back. */
  readonly roles: readonly string[]
  /** What was left out, or may be when it is brought back, in words. */
  readonly notes: readonly string[]
}

/** Writes what a backup holds as pg_dump would have written it; needs no server. */
export async function exportBackup(
  repository: Repository,
  backup: Backup,
  options: ExportOptions,
): Promise<ExportOutcome> {
  const { format, choices, compression, output } = options
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const texts = await readBackupTexts(reader, manifest, options)
  const plan = planRestore(manifest, texts, choices)
  const data = new ExportData(reader, manifest, plan, options.onProgress)
  const facts = archiveFacts(manifest, compression)
  if (format === 'plain') {
    await write(output, compressFile(plainSql(manifest, plan, data, options), compression), options)
  } else if (format === 'custom') {
    const archive = new CustomArchive(archiveEntries(manifest, plan), facts, data)
    await write(output, archive.bytes(options), { ...options, head: () => archive.head() })
  } else {
    if (typeof output !== 'string') throw new TypeError('a directory is no stream')
    await using whole = await Output.create(output)
    const entries = archiveEntries(manifest, plan)
    await writeDirectory(whole.temporary, (path) => writeDirectoryArchive(path, entries, facts, data, options))
    await whole.commit()
  }
  return {
    tables: plan.tables.length,
    rows: plan.tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: plan.tables.reduce((sum, { bytes }) => sum + bytes, 0),
    roles: [...rolesOfPlan(plan)],
    notes: [...plan.notes, ...notesOnViews(plan, texts)],
  }
}

/** Writes the roles and tablespaces of the server that a backup is of, as a script for psql. */
export async function exportGlobals(
  repository: Repository,
  backup: Backup,
  options: Pick<ExportOptions, 'compression' | 'output' | 'signal'>,
): Promise<{ readonly roles: number; readonly tablespaces: number; readonly passwords: boolean }> {
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const globals = await readGlobals(reader, manifest, options)
  const script = [Buffer.from(globalsSql(globals, manifest.server.versionNumber))]
  await write(options.output, compressFile(script, options.compression), options)
  return { roles: globals.roles.length, tablespaces: globals.tablespaces.length, passwords: globals.passwords }
}

async function write(
  output: string | Writable,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: { readonly signal?: AbortSignal | undefined; readonly head?: () => Buffer },
): Promise<void> {
  if (typeof output !== 'string') return writeStream(output, pieces, options)
  await using whole = await Output.create(output)
  await writeFile(whole.temporary, pieces, options)
  await whole.commit()
}

function archiveFacts(manifest: Manifest, compression: Compression): ArchiveFacts {
  return {
    database: manifest.database.name,
    createdAt: new Date(manifest.snapshot.at),
    serverVersion: manifest.server.version,
    dumpVersion: `${manifest.pgDump.version} (${toolVersion})`,
    encoding: bufferEncoding(manifest),
    compressionLevel: compression.method === 'none' ? 0 : (compression.level ?? -1),
  }
}
