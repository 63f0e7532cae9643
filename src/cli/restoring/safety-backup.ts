import { backUpDatabase } from '../../backup/back-up-database.ts'
import { AppError } from '../../core/app-error.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { everything } from '../../repository/backups/manifest.ts'
import type { CommandContext } from '../command-context.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { openRepositories } from '../repositories/repository-access.ts'
import { printable } from '../terminal/printable.ts'

/**
 * Backs up what a restore is about to replace, under the name of its own that it will be kept under: "latest:shop" must
 * not mean it. Returns the id; undefined with --no-safety-backup.
 */
export async function backUpBefore(
  kept: string,
  target: ConnectionTarget,
  { safetyBackup, jobs }: Pick<RestoreOptions, 'safetyBackup' | 'jobs'>,
  context: CommandContext,
): Promise<string | undefined> {
  if (!safetyBackup) return undefined
  const settings = { ...(await context.settings()), asOf: undefined } // what is read may be the past, this is not
  const { opened, failed } = await openRepositories({ ...context, settings: async () => settings })
  try {
    const backedUp = await backUpDatabase(
      target,
      opened.map(({ repository }) => repository),
      {
        database: kept,
        selection: everything,
        jobs: jobs ?? settings.jobs,
        pgDump: settings.pgDump,
        environment: context.environment,
        comment: `what ${target.database} was before a restore in place`,
        onProgress: context.onProgress,
        signal: context.signal,
      },
    )
    const lacking = [...failed.map(({ error }) => error), ...backedUp.failed.map(({ error }) => error)]
    for (const error of lacking) {
      context.terminal.warn(
        printable(`the safety backup is not everywhere: ${error instanceof Error ? error.message : ''}`),
      )
    }
    return backedUp.id
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, `the safety backup failed: ${error.message}`, {
      cause: error.cause,
      hint: `${error.hint ?? 'see what failed'}; or leave it out with --no-safety-backup: the database is kept in any case`,
    })
  }
}
