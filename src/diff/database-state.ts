import { readDatabase } from '../backup/back-up-database.ts'
import type { StreamSink } from '../backup/write-stream.ts'
import { hasCode } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import type { ConnectionTarget, Environment } from '../postgres/target/connection-target.ts'
import type { PgDumpChoice } from '../postgres/pg-dump/pg-dump.ts'
import { type SchemaEntry, splitSchemaText } from '../postgres/pg-dump/schema-text.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { type Backup, readManifest, readSchemaText } from '../repository/backups/open-backup.ts'
import { type RestoreScope, chooseScope, keyOf } from '../repository/backups/restore-scope.ts'

/** A database at one moment, as a backup tells, or as a backup would tell that was taken of it. */
export interface DatabaseState {
  readonly manifest: Manifest
  /** `unreadable`: the key may not read them. undefined: a backup of data only. */
  readonly entries: readonly SchemaEntry[] | 'unreadable' | undefined
}

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

/** Reads the manifest and the schema text. */
export async function stateOfBackup(
  reader: RepositoryReader,
  backup: Backup,
  options: ReadOptions = {},
): Promise<DatabaseState> {
  const manifest = await readManifest(reader, backup, options)
  try {
    const texts = await readSchemaText(reader, manifest, options)
    return { manifest, entries: texts && [...splitSchemaText(texts.preData), ...splitSchemaText(texts.postData)] }
  } catch (error) {
    if (!hasCode(error, 'key-cannot-read')) throw error
    return { manifest, entries: 'unreadable' }
  }
}

export interface LiveOptions extends ReadOptions {
  readonly jobs: number
  /** For a schema that an installed pg_dump printed. */
  readonly pgDump: PgDumpChoice
  readonly environment: Environment
  readonly schemaOnly: boolean
  /** Patterns; with none, all that the backup has taken. */
  readonly tables: readonly string[]
  readonly onProgress?: OnProgress | undefined
}

/**
 * Reads a database as the backup of `before` was taken: the same selection, at one snapshot, and hashes the rows on the
 * way. Of the tables that `before` knows, only the rows of those that match are read.
 */
export async function stateOfDatabase(
  target: ConnectionTarget,
  before: DatabaseState,
  options: LiveOptions,
): Promise<DatabaseState> {
  const { selection, pgDump, tables, tablesWithoutData } = before.manifest
  const known = new Set([...tables, ...tablesWithoutData].map(keyOf))
  const scope = scopeOf(before, options.tables)
  const texts = new Map<string, Buffer>()
  const manifest = await readDatabase(target, discarding, {
    ...options,
    selection: options.schemaOnly ? { ...selection, content: 'schema-only' } : selection,
    pgDump: pgDump.kind === 'bundled' ? 'bundled' : options.pgDump,
    readsRowsOf: (table) => !known.has(keyOf(table)) || scope?.includesTable(table) === true,
    onSchema: (section, text) => texts.set(section, text),
  })
  const encoding = manifest.schema?.encoding === 'SQL_ASCII' ? 'latin1' : 'utf8'
  const entries = [...texts.values()].flatMap((text) => splitSchemaText(text.toString(encoding)))
  return { manifest, entries: manifest.schema && entries }
}

/** What the patterns choose, with all that hangs on it; undefined when that is nothing. */
export function scopeOf({ manifest, entries }: DatabaseState, tables: readonly string[]): RestoreScope | undefined {
  try {
    return chooseScope(manifest, Array.isArray(entries) ? entries : [], { tables, schemas: [] })
  } catch (error) {
    if (hasCode(error, 'selection-empty')) return undefined
    throw error
  }
}

const discarding: StreamSink = {
  openStream: () => ({
    write: async () => undefined,
    finish: async () => ({ bytes: 0, chunks: 0, lists: [] }),
  }),
}
