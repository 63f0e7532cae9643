import type { OnProgress } from '../core/progress.ts'
import type { Environment } from '../postgres/connection-target.ts'
import type { PgDumpChoice } from '../postgres/pg-dump.ts'
import type { Selection } from '../repository/manifest.ts'

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
