import { AppError } from '../core/app-error.ts'
import { markSchema, readUnfinishedMark } from '../postgres/catalog/unfinished-mark.ts'
import { describeTarget } from '../postgres/target/connection-target.ts'
import type { CommandOptions, Connection } from '../postgres/wire/connection.ts'

/** Throws `database-unfinished` where a restore did not end: a part of a backup must not become the latest one. */
export async function refuseUnfinished(connection: Connection, options: CommandOptions): Promise<void> {
  const mark = await readUnfinishedMark(connection, options)
  if (!mark?.trusted) return
  const { safetyBackup } = mark
  const back =
    safetyBackup === undefined
      ? 'run the restore that was stopped again'
      : `"pgrevive restore ${safetyBackup} --replace" with --to as before brings back what was there before`
  throw new AppError(
    'database-unfinished',
    `${describeTarget(connection.target)} holds a part of a backup: a restore into it did not end`,
    { hint: `${back}; if what it holds now is to stay: DROP SCHEMA ${markSchema}` },
  )
}
