import type { OnProgress } from '../../core/progress.ts'
import { splitSchemaText } from '../../postgres/pg-dump/schema-text.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { prepareForLoading } from '../../postgres/wire/session-settings.ts'
import type { Manifest } from '../../repository/backups/manifest.ts'
import { type Backup, readManifest, readSchemaText } from '../../repository/backups/open-backup.ts'
import type { RepositoryReader } from '../../repository/repository-reader.ts'
import type { Repository } from '../../repository/repository.ts'
import { connectForText } from '../connect-for-text.ts'
import { type ChosenTable, chooseTables } from './chosen-tables.ts'
import { type EntriesByTable, groupByTable } from './table-definition.ts'

export interface RowsOptions {
  /** Patterns of pg_dump. */
  readonly tables: readonly string[]
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Tables of a backup, and a session with a database that is in use. */
export interface RowsSession extends AsyncDisposable {
  readonly reader: RepositoryReader
  readonly manifest: Manifest
  /** None in a backup of data only. */
  readonly entries: EntriesByTable
  readonly tables: readonly ChosenTable[]
  readonly connection: Connection
}

/** Chooses the tables before it connects. The caller closes it, which undoes what was not committed. */
export async function openRowsSession(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: RowsOptions,
): Promise<RowsSession> {
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const texts = await readSchemaText(reader, manifest, options)
  const entries = texts ? [...splitSchemaText(texts.preData), ...splitSchemaText(texts.postData)] : []
  const byTable = groupByTable(entries)
  const tables = chooseTables(manifest, entries, byTable, options.tables)
  const connection = await connectForText(target, manifest, options)
  try {
    await prepareForLoading(connection)
  } catch (error) {
    await connection[Symbol.asyncDispose]()
    throw error
  }
  const dispose = () => connection[Symbol.asyncDispose]()
  return { reader, manifest, entries: byTable, tables, connection, [Symbol.asyncDispose]: dispose }
}
