import type { OnProgress } from '../core/progress.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { GlobalOptions } from './global-options.ts'
import type { BackupReference } from './repositories/backup-reference.ts'
import type { Settings } from './settings/settings.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Everything of the outside that a command may use. */
export interface CommandContext {
  readonly terminal: Terminal
  /** The variables of the process, read once by main. */
  readonly environment: Environment
  readonly currentDirectory: string
  readonly homeDirectory: string
  /** What was opened for the whole command: disposed of at its end, however that comes. */
  readonly resources: AsyncDisposableStack
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
  /** Names this run: for hooks, and in its log. */
  readonly run: string
  /** Shows progress, or not, as the terminal and the options want it. */
  readonly onProgress: OnProgress
  /** Where a command runs on several repositories: the latest backup of all of them, by its id. */
  readonly latestOfAll?: (reference: BackupReference) => Promise<BackupReference>
  readonly globals: GlobalOptions
  /** The global options, the environment and pgrevive.yaml in one; read at the first call. */
  readonly settings: () => Promise<Settings>
}
