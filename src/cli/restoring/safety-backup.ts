import { type BackedUp, backUpDatabase } from '../../backup/back-up-database.ts'
import { AppError } from '../../core/app-error.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { type Selection, everything } from '../../repository/backups/manifest.ts'
import type { CommandContext } from '../command-context.ts'
import type { RestoreOptions } from '../commands/restore.ts'
import { listAll } from '../repositories/locate-backup.ts'
import { openRepositories } from '../repositories/repository-access.ts'
import { printable } from '../../core/text/printable.ts'

interface SafetySubject {
  /** The name under which it is listed, which is its own: "latest:shop" must not mean it. */
  readonly name: string
  readonly selection: Selection
  readonly comment: string
  readonly jobs: number | undefined
}

/** The name under which what a database was before it was replaced is listed. */
export function nameBeforeReplace({ database }: Pick<ConnectionTarget, 'database'>): string {
  return `${database}_before_replace`
}

/** Whether one of the repositories holds a backup of this id, taken before the database was replaced. */
export async function isBeforeReplace(id: string, target: ConnectionTarget, context: CommandContext): Promise<boolean> {
  const name = nameBeforeReplace(target)
  const { listed } = await listAll(ofNow(context))
  return listed.some(({ backups }) => backups.some((backup) => backup.id === id && backup.record.database === name))
}

/** What is read may be the past, what is backed up is not. */
function ofNow(context: CommandContext): CommandContext {
  return { ...context, settings: async () => ({ ...(await context.settings()), asOf: undefined }) }
}

/** Backs up what a restore in place is about to replace. Returns the id; undefined with --no-safety-backup. */
export async function backUpBefore(
  kept: string,
  target: ConnectionTarget,
  { safetyBackup, jobs }: Pick<RestoreOptions, 'safetyBackup' | 'jobs'>,
  context: CommandContext,
): Promise<string | undefined> {
  if (!safetyBackup) return undefined
  const comment = `what ${target.database} was before a restore in place`
  try {
    return (await takeSafetyBackup(target, { name: kept, selection: everything, comment, jobs }, context)).id
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, error.message, {
      cause: error.cause,
      hint: `${error.hint ?? 'see what failed'}; or leave it out with --no-safety-backup: the database is kept in any case`,
    })
  }
}

/** Backs up what had been kept and is about to be dropped. Returns the id; undefined with --no-safety-backup. */
export async function backUpDropped(
  kept: string,
  target: ConnectionTarget,
  { safetyBackup, jobs }: Pick<RestoreOptions, 'safetyBackup' | 'jobs'>,
  context: CommandContext,
): Promise<string | undefined> {
  if (!safetyBackup) return undefined
  const comment = `what ${kept} was when it was dropped`
  return (await takeSafetyBackup(target, { name: kept, selection: everything, comment, jobs }, context)).id
}

/** Backs up what only this backup will hold: no policy forgets it. Tells the id at once, and returns it. */
export async function backUpForGood(
  target: ConnectionTarget,
  subject: SafetySubject,
  context: CommandContext,
): Promise<string> {
  const { id, stored } = await takeSafetyBackup(target, subject, context)
  for (const repository of stored.keys()) {
    await repository.saveNote({ format: 1, backup: id, kind: 'pinned', reason: subject.comment }, context)
  }
  if (!context.terminal.json) context.terminal.printError(`safety backup: ${id}, pinned\n`)
  return id
}

/** Into all repositories that take it. */
async function takeSafetyBackup(
  target: ConnectionTarget,
  { name, jobs, ...subject }: SafetySubject,
  context: CommandContext,
): Promise<BackedUp> {
  const now = ofNow(context)
  const settings = await now.settings()
  const { opened, failed } = await openRepositories(now)
  const repositories = opened.map(({ repository }) => repository)
  try {
    const backedUp = await backUpDatabase(target, repositories, {
      ...subject,
      database: name,
      jobs: jobs ?? settings.jobs,
      pgDump: settings.pgDump,
      refuseUnfinished: false,
      environment: context.environment,
      onProgress: context.onProgress,
      signal: context.signal,
    })
    for (const { error } of [...failed, ...backedUp.failed]) {
      const why = error instanceof Error ? error.message : ''
      context.terminal.warn(printable(`the safety backup is not everywhere: ${why}`))
    }
    return backedUp
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { code, message, cause, hint } = error
    throw new AppError(code, `the safety backup failed: ${message}`, { cause, ...(hint === undefined ? {} : { hint }) })
  }
}
