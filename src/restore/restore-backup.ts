import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { type ConnectionTarget, describeTarget, withDatabase } from '../postgres/target/connection-target.ts'
import { databasePropertyStatements, mapDatabaseRoles } from '../postgres/sql/database-statements.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import type { ServerGlobals } from '../postgres/catalog/server-globals.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'
import {
  dropAbandonedDatabases,
  dropTemporaryDatabase,
  endSessionsIn,
  reserveTemporaryDatabase,
} from '../postgres/server/temporary-database.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import type { Repository } from '../repository/repository.ts'
import { commentOnDatabase } from './comment-on-losses.ts'
import { createDatabase } from './create-database.ts'
import { createMissingRoles } from './create-missing-roles.ts'
import { loadDatabase } from './load-database.ts'
import { type Loss, Losses } from './losses.ts'
import { connectForMaintenance } from './maintenance-connection.ts'
import { type Backup, readManifest } from '../repository/backups/open-backup.ts'
import { type RestoreChoices, type RestorePlan, rolesOfPlan } from '../repository/backups/restore-plan.ts'
import { readPlan, readRoles } from './read-plan.ts'
import { checkRoomForData, checkServerHas, existingRoles } from './target-checks.ts'
import { claimEmptyDatabase, howToEmpty, removeUnfinishedMark, setUnfinishedMark } from './unfinished-mark.ts'

export interface RestoreOptions {
  readonly choices: RestoreChoices
  readonly createRoles: boolean
  /** Leave out what is damaged in the repository, and tell it, instead of stopping there. */
  readonly skipDamaged?: boolean | undefined
  readonly jobs: number
  readonly analyze: boolean
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RestoreOutcome {
  readonly database: string
  readonly tables: number
  readonly rows: number
  readonly bytes: number
  /** What is damaged in the repository, and what could not be made without it. Empty unless that was to be left out. */
  readonly lost: readonly Loss[]
  /** What was left out or replaced, in words. */
  readonly notes: readonly string[]
}

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
  if (['postgres', 'template0', 'template1'].includes(target.database)) {
    throw new AppError('target-not-empty', `"${target.database}" belongs to the server, and is not restored into`, {
      hint: 'name another database: it will be created',
    })
  }
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const losses = options.skipDamaged ? new Losses(backup.id) : undefined
  try {
    return await restoreFrom(reader, manifest, target, { ...options, losses })
  } catch (error) {
    if (losses || !hasCode(error, 'object-damaged', 'object-missing')) throw error
    const { code, message, hint = '', cause } = error
    throw new AppError(code, message, { cause, hint: `${hint}; with --skip-damaged, everything else is restored` })
  }
}

async function restoreFrom(
  reader: RepositoryReader,
  manifest: Manifest,
  target: ConnectionTarget,
  options: RestoreOptions & { readonly losses: Losses | undefined },
): Promise<RestoreOutcome> {
  const { choices, losses } = options
  const plan = await readPlan(reader, manifest, choices, options)
  const notes = [...plan.notes]
  const properties = mapDatabaseRoles(manifest.database, choices.roleMap)
  const globals = options.createRoles ? await readRoles(reader, manifest, options) : undefined
  const job: RestoreJob = { reader, manifest, plan, properties, globals, target, losses, notes, options }
  {
    await using existing = await connectIfThere(target, options)
    if (!existing && choices.content === 'data-only') {
      throw new AppError('database-missing', `there is no database ${JSON.stringify(target.database)} to load into`, {
        hint: 'restore without --data-only to create it',
      })
    }
    if (!existing) await fillNew(job)
    else if (choices.content === 'data-only') await fillTables(job, existing)
    else await fillEmpty(job, existing)
  }
  return {
    database: target.database,
    tables: plan.tables.length,
    rows: plan.tables.reduce((sum, { rows }) => sum + rows, 0) - (losses?.lostRows ?? 0),
    bytes: plan.tables.reduce((sum, { bytes }) => sum + bytes, 0) - (losses?.lostBytes ?? 0),
    lost: losses?.list() ?? [],
    notes,
  }
}

interface RestoreJob {
  readonly reader: RepositoryReader
  readonly manifest: Manifest
  readonly plan: RestorePlan
  /** With the roles that it is to have here. */
  readonly properties: DatabaseProperties
  /** Present when missing roles are to be created. */
  readonly globals: ServerGlobals | undefined
  readonly target: ConnectionTarget
  /** Present when damage is to be left out. */
  readonly losses: Losses | undefined
  readonly notes: string[]
  readonly options: RestoreOptions
}

async function connectIfThere(target: ConnectionTarget, options: RestoreOptions): Promise<Connection | undefined> {
  try {
    const connection = await Connection.connect(target, { signal: options.signal })
    await prepareForLoading(connection)
    return connection
  } catch (error) {
    if (hasCode(error, 'database-missing')) return undefined
    throw error
  }
}

async function fillNew(job: RestoreJob): Promise<void> {
  const { target, plan, properties, notes, options } = job
  const { choices } = options
  await using maintenance = await connectForMaintenance(target, options)
  await dropAbandonedDatabases(maintenance, { signal: options.signal, onNote: (note) => notes.push(note) })
  const owner = choices.noOwner ? undefined : properties.owner
  const roles = rolesOfPlan(plan)
  if (owner !== undefined) roles.add(owner)
  const tablespace = choices.noTablespaces ? undefined : properties.tablespace
  await createRoles(maintenance, roles, job)
  await checkServerHas(maintenance, plan, { roles, tablespace }, options)
  const working = await reserveTemporaryDatabase(maintenance, 'restore', options)
  try {
    await createWorkingDatabase(maintenance, working, owner, job)
    await load(job, withDatabase(target, working))
    if (plan.whole) await applyProperties(maintenance, working, owner, job)
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

/** In the comment on the database, so that nobody takes it for whole later. */
async function sayWhatIsLost(connection: Connection, database: string, { losses, notes, options }: RestoreJob) {
  if (!losses || losses.isEmpty) return
  const { signal } = options
  await commentOnDatabase(connection, database, losses, { signal, onNote: (note) => notes.push(note) })
}

async function createWorkingDatabase(
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

async function load(
  { reader, manifest, plan, losses, notes, options }: RestoreJob,
  target: ConnectionTarget,
  beforeEventTriggers?: (connection: Connection) => Promise<void>,
): Promise<void> {
  await loadDatabase(reader, manifest, plan, target, {
    ...options,
    losses,
    intoExistingTables: options.choices.content === 'data-only',
    beforeEventTriggers,
    onNote: (note) => notes.push(note),
  })
}

/** Settings that the role may not make, or that this server does not know, are no reason to throw a restore away. */
async function applyProperties(
  maintenance: Connection,
  database: string,
  owner: string | undefined,
  { properties, notes, options }: RestoreJob,
): Promise<void> {
  const roles = await existingRoles(maintenance, options)
  const privileges = !options.choices.noPrivileges
  if (privileges && owner === undefined && properties.grants !== null) {
    notes.push('privileges on the database itself were left out, since its owner is another')
  }
  for (const statement of databasePropertyStatements(database, properties, { owner, privileges, roles })) {
    try {
      await maintenance.execute(statement, options)
    } catch (error) {
      if (!['42501', '42704', '22023'].includes(sqlStateOf(error) ?? '')) throw error
      notes.push(`left out: ${statement.replace(database, properties.name)}: ${messageOf(error)}`)
    }
  }
}

/** On a connection of its own and without the signal: the one at hand may be what broke. */
async function dropWorkingDatabase(target: ConnectionTarget, working: string, why: unknown): Promise<void> {
  try {
    await using connection = await connectForMaintenance(target, {})
    await dropTemporaryDatabase(connection, working, { force: true })
  } catch (error) {
    throw new AppError('restore-failed', `${messageOf(why)}; the unfinished database ${working} could not be dropped`, {
      cause: why,
      hint: `the next restore onto the server drops it, or do it yourself: DROP DATABASE ${quoteIdentifier(working)}; (${messageOf(error)})`,
    })
  }
}

async function fillEmpty(job: RestoreJob, connection: Connection): Promise<void> {
  const { target, plan, notes, options } = job
  await claimEmptyDatabase(connection, options)
  const roles = rolesOfPlan(plan)
  await createRoles(connection, roles, job)
  await checkServerHas(connection, plan, { roles, tablespace: undefined }, options)
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

/** If that was asked for; also those that the database's own settings and privileges name. */
async function createRoles(
  connection: Connection,
  needed: ReadonlySet<string>,
  { globals, properties, notes, options }: RestoreJob,
): Promise<void> {
  if (!globals) return
  const named = [
    ...properties.settings.map(({ role }) => role),
    ...(properties.grants ?? []).map(({ grantee }) => grantee),
  ]
  const wanted = new Set([...needed, ...named.filter((role) => role !== null)])
  const onNote = (note: string) => void notes.push(note)
  await createMissingRoles(connection, globals, wanted, { onNote, signal: options.signal })
}
