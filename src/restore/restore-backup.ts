import { AppError, hasCode } from '../core/app-error.ts'
import { type ConnectionTarget, describeTarget } from '../postgres/target/connection-target.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'
import type { Backup } from '../repository/backups/open-backup.ts'
import { rolesOfPlan } from '../repository/backups/restore-plan.ts'
import type { Repository } from '../repository/repository.ts'
import { fillNew } from './fill-new.ts'
import {
  type RestoreJob,
  type RestoreOptions,
  type RestoreOutcome,
  createRoles,
  load,
  openRestoreJob,
  outcomeOf,
  sayWhatIsLost,
} from './restore-job.ts'
import { requireReadiness } from './preflight/preflight.ts'
import { checkRoomForData } from './target-checks.ts'
import { claimEmptyDatabase, howToEmpty, removeUnfinishedMark, setUnfinishedMark } from './unfinished-mark.ts'

/**
 * Restores into the database that `target` names. If it does not exist, it is made under a working name and gets its
 * own only when everything is in place; if it exists, it must be empty.
 */
export async function restoreBackup(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: RestoreOptions,
): Promise<RestoreOutcome> {
  refuseServersOwn(target)
  try {
    const job = await openRestoreJob(repository, backup, target, options)
    await fill(job)
    return outcomeOf(job)
  } catch (error) {
    if (options.skipDamaged || !hasCode(error, 'object-damaged', 'object-missing')) throw error
    const { code, message, hint = '', cause } = error
    throw new AppError(code, message, { cause, hint: `${hint}; with --skip-damaged, everything else is restored` })
  }
}

export function refuseServersOwn({ database }: Pick<ConnectionTarget, 'database'>): void {
  if (!['postgres', 'template0', 'template1'].includes(database)) return
  throw new AppError('target-not-empty', `"${database}" belongs to the server, and is not restored into`, {
    hint: 'name another database: it will be created',
  })
}

async function fill(job: RestoreJob): Promise<void> {
  const { target, options } = job
  await using existing = await connectIfThere(target, options)
  if (!existing && options.choices.content === 'data-only') throw nothingToLoadInto(target)
  if (!existing) await fillNew(job)
  else if (options.choices.content === 'data-only') await fillTables(job, existing)
  else await fillEmpty(job, existing)
}

export function nothingToLoadInto({ database }: ConnectionTarget): AppError {
  return new AppError('database-missing', `there is no database ${JSON.stringify(database)} to load into`, {
    hint: 'restore without --data-only to create it',
  })
}

/** undefined: there is no such database. */
export async function connectIfThere(
  target: ConnectionTarget,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Connection | undefined> {
  try {
    const connection = await Connection.connect(target, { signal: options.signal })
    await prepareForLoading(connection)
    return connection
  } catch (error) {
    if (hasCode(error, 'database-missing')) return undefined
    throw error
  }
}

async function fillEmpty(job: RestoreJob, connection: Connection): Promise<void> {
  const { target, plan, notes, options } = job
  await claimEmptyDatabase(connection, options)
  await requireReadiness(connection, { ...job, way: 'empty', jobs: options.jobs }, options)
  await createRoles(connection, rolesOfPlan(plan), job)
  notes.push('the database was there: it keeps its owner, encoding, locale, settings and privileges')
  const nextStep = await howToEmpty(connection, options)
  await setUnfinishedMark(connection, options)
  try {
    await load(job, target, (loading) => removeUnfinishedMark(loading, options))
    await sayWhatIsLost(connection, target.database, job)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, `${error.message}; ${describeTarget(target)} holds an unfinished restore`, {
      cause: error.cause,
      hint: nextStep,
    })
  }
}

async function fillTables(job: RestoreJob, connection: Connection): Promise<void> {
  const { target, plan, notes, options } = job
  await requireReadiness(connection, { ...job, way: 'empty', jobs: options.jobs }, options)
  await checkRoomForData(connection, plan, options)
  try {
    await load(job, target)
    await sayWhatIsLost(connection, target.database, job)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, error.message, {
      cause: error.cause,
      hint: 'some tables may be filled: run the same command again, and it names what empties them',
    })
  }
  notes.push('foreign keys and triggers were not asked while rows were loaded')
}
