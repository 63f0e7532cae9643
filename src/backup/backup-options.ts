import type { OnProgress } from '../core/progress.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { PgDumpChoice } from '../postgres/pg-dump/pg-dump.ts'
import type { QualifiedName, Selection } from '../repository/backups/manifest.ts'
import type { BackupOrigin } from './backup-origin.ts'

/** How a database is read. */
export interface ReadOptions {
  readonly selection: Selection
  readonly jobs: number
  readonly pgDump: PgDumpChoice
  readonly environment: Environment
  /** Tables for which it is false count as left out. */
  readonly readsRowsOf?: ((table: QualifiedName) => boolean) | undefined
  /** Told what pg_dump printed, in the encoding that the manifest names. */
  readonly onSchema?: ((section: 'pre-data' | 'post-data', text: Buffer) => void) | undefined
  /** false: the roles of the server only stand in for others. */
  readonly rolePasswords?: boolean | undefined
  /** true: what a restore that did not end has left is not read. */
  readonly refuseUnfinished?: boolean | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface BackupOptions extends ReadOptions {
  /** The name under which `list` shows the database. */
  readonly database: string
  readonly comment?: string | undefined
  /** What is backed up is somebody's dump, brought back for this alone. */
  readonly origin?: BackupOrigin | undefined
}
