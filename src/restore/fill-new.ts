import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import { endSessionsIn } from '../postgres/server/end-sessions.ts'
import {
  dropAbandonedDatabases,
  dropTemporaryDatabase,
  reserveTemporaryDatabase,
} from '../postgres/server/temporary-database.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/target/connection-target.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { rolesOfPlan } from '../repository/backups/restore-plan.ts'
import { createDatabase } from './create-database.ts'
import { connectForMaintenance } from './maintenance-connection.ts'
import { requireReadiness } from './preflight/preflight.ts'
import { type RestoreJob, applyProperties, createRoles, load, sayWhatIsLost } from './restore-job.ts'

/** Makes the database that the job's target names; it is there once it is whole, or never. */
export async function fillNew(job: RestoreJob): Promise<void> {
  const { target, options } = job
  await using maintenance = await connectForMaintenance(target, options)
  const owner = await prepareServer(maintenance, job, 'new')
  const working = await reserveTemporaryDatabase(maintenance, 'restore', options)
  try {
    await createWorkingDatabase(maintenance, working, owner, job)
    await load(job, withDatabase(target, working))
    if (job.plan.whole) await applyProperties(maintenance, working, owner, job)
    await sayWhatIsLost(maintenance, working, job)
    await endSessionsIn(maintenance, working, options)
    await maintenance.execute(
      `ALTER DATABASE ${quoteIdentifier(working)} RENAME TO ${quoteIdentifier(target.database)}`,
      options,
    )
  } catch (error) {
    await dropWorkingDatabase(target, working, error)
    throw error
  }
}

/** Clears away what killed runs left, looks whether the restore can succeed, and creates roles. Returns the owner to be. */
export async function prepareServer(
  maintenance: Connection,
  job: RestoreJob,
  way: 'new' | 'in-place',
): Promise<string | undefined> {
  const { plan, properties, notes, options } = job
  const { choices } = options
  await dropAbandonedDatabases(maintenance, { signal: options.signal, onNote: (note) => notes.push(note) })
  const owner = choices.noOwner ? undefined : properties.owner
  const roles = rolesOfPlan(plan)
  if (owner !== undefined) roles.add(owner)
  await requireReadiness(maintenance, { ...job, way, jobs: options.jobs }, options)
  await createRoles(maintenance, roles, job)
  return owner
}

export async function createWorkingDatabase(
  maintenance: Connection,
  working: string,
  owner: string | undefined,
  { target, properties, options }: RestoreJob,
): Promise<void> {
  try {
    const tablespaces = !options.choices.noTablespaces
    await createDatabase(maintenance, working, properties, { owner, tablespaces, signal: options.signal })
  } catch (error) {
    if (!hasCode(error, 'permission-denied')) throw error
    const name = JSON.stringify(target.database)
    throw new AppError('permission-denied', `can not create the database: ${error.message}`, {
      cause: error.cause,
      hint: `restore with --no-owner --no-privileges, or as a member of the role that owns it; or create ${name} yourself, empty, and run the same command again`,
    })
  }
}

/** On a connection of its own and without the signal: the one at hand may be what broke. */
export async function dropWorkingDatabase(target: ConnectionTarget, working: string, why: unknown): Promise<void> {
  try {
    await using connection = await connectForMaintenance(target, {})
    await dropTemporaryDatabase(connection, working, { force: true })
  } catch (error) {
    const { code, hint } = why instanceof AppError ? why : { code: 'restore-failed' as const, hint: undefined }
    const left = `the unfinished database ${working} could not be dropped (${messageOf(error)})`
    throw new AppError(code, `${messageOf(why)}; ${left}`, {
      cause: why,
      hint: `${hint === undefined ? '' : `${hint}; `}the same command drops it when it is run again, or do it yourself: DROP DATABASE ${quoteIdentifier(working)}`,
    })
  }
}
