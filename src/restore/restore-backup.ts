import { ulid } from 'ulid'
import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import { Connection } from '../postgres/connection.ts'
import { type ConnectionTarget, describeTarget, withDatabase } from '../postgres/connection-target.ts'
import { quoteIdentifier, quoteQualified } from '../postgres/quote.ts'
import { prepareForLoading } from '../postgres/session-settings.ts'
import { createRoleStatements, membershipStatements } from '../postgres/server-globals.ts'
import type { Manifest } from '../repository/manifest.ts'
import type { Repository } from '../repository/repository.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { createDatabase, databasePropertyStatements } from './create-database.ts'
import { loadDatabase } from './load-database.ts'
import { connectForMaintenance } from './maintenance-connection.ts'
import { type Backup, readGlobals, readManifest, readSchemaText } from './open-backup.ts'
import { type RestoreChoices, type RestorePlan, planRestore, rolesOfPlan } from './restore-plan.ts'
import { checkServerHas, countUserObjects, databaseExists, existingRoles } from './target-checks.ts'

export interface RestoreOptions {
  readonly choices: RestoreChoices
  readonly createRoles: boolean
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
  /** What was left out or replaced, in words. */
  readonly notes: readonly string[]
}

/** Lies in an existing database while it is being filled; whoever finds it knows that the restore did not end. */
const unfinishedMarker = 'pgrevive_restore_unfinished'

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
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const plan = planRestore(manifest, await readSchemaText(reader, manifest, options), options.choices)
  const notes = [...plan.notes]
  const job = { reader, manifest, plan, target, notes, options }
  {
    await using maintenance = await connectForMaintenance(target, options)
    if (options.createRoles) await createMissingRoles(maintenance, reader, manifest, plan, options)
    const exists = await databaseExists(maintenance, target.database, options)
    if (options.choices.content === 'data-only' && !exists) {
      throw new AppError(
        'database-missing',
        `there is no database ${JSON.stringify(target.database)} to load data into`,
        {
          hint: 'restore without --data-only to create it',
        },
      )
    }
    if (exists) await fillExisting(job, maintenance)
    else await fillNew(job, maintenance)
  }
  return {
    database: target.database,
    tables: plan.tables.length,
    rows: plan.tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: plan.tables.reduce((sum, { bytes }) => sum + bytes, 0),
    notes,
  }
}

interface RestoreJob {
  readonly reader: RepositoryReader
  readonly manifest: Manifest
  readonly plan: RestorePlan
  readonly target: ConnectionTarget
  readonly notes: string[]
  readonly options: RestoreOptions
}

async function fillNew(
  { target, manifest, plan, options, ...job }: RestoreJob,
  maintenance: Connection,
): Promise<void> {
  const { choices } = options
  const owner = choices.noOwner ? undefined : (choices.roleMap.get(manifest.database.owner) ?? manifest.database.owner)
  await checkServerHas(maintenance, plan, owner, options)
  const working = `pgrevive_restore_${ulid().toLowerCase()}`
  try {
    await createDatabase(maintenance, working, manifest.database, {
      owner,
      tablespaces: !choices.noTablespaces,
      signal: options.signal,
    })
  } catch (error) {
    if (!hasCode(error, 'permission-denied')) throw error
    throw new AppError('permission-denied', `can not create the database: ${error.message}`, {
      cause: error.cause,
      hint: `create ${JSON.stringify(target.database)} yourself, empty, and run the same command again, perhaps with --no-owner`,
    })
  }
  try {
    await loadDatabase(job.reader, manifest, plan, withDatabase(target, working), {
      ...options,
      intoExistingTables: false,
      onNote: (note) => job.notes.push(note),
    })
    const roles = await existingRoles(maintenance, options)
    if (choices.tables.length === 0 && choices.schemas.length === 0) {
      const properties = { owner, privileges: !choices.noPrivileges, roles }
      for (const statement of databasePropertyStatements(working, manifest.database, properties)) {
        await maintenance.execute(statement, options)
      }
    }
    await maintenance.execute(
      `ALTER DATABASE ${quoteIdentifier(working)} RENAME TO ${quoteIdentifier(target.database)}`,
      options,
    )
  } catch (error) {
    await dropWorkingDatabase(target, working, error)
    throw error
  }
}

/** On a connection of its own and without the signal: the one at hand may be what broke. */
async function dropWorkingDatabase(target: ConnectionTarget, working: string, why: unknown): Promise<void> {
  try {
    await using connection = await connectForMaintenance(target, {})
    await connection.execute(`DROP DATABASE IF EXISTS ${quoteIdentifier(working)} WITH (FORCE)`)
  } catch (error) {
    throw new AppError('restore-failed', `${messageOf(why)}; the unfinished database ${working} could not be dropped`, {
      cause: why,
      hint: `drop it when the server is reachable: DROP DATABASE ${quoteIdentifier(working)}; (${messageOf(error)})`,
    })
  }
}

async function fillExisting(
  { target, manifest, plan, options, ...job }: RestoreJob,
  maintenance: Connection,
): Promise<void> {
  const dataOnly = options.choices.content === 'data-only'
  await using connection = await Connection.connect(target, options)
  await prepareForLoading(connection)
  const name = JSON.stringify(target.database)
  if (!dataOnly) {
    const objects = await countUserObjects(connection, options)
    if (objects > 0) {
      throw new AppError('target-not-empty', `the database ${name} holds ${objects} objects already`, {
        hint: 'nothing was changed; name a database that does not exist yet, and it will be created',
      })
    }
    const owner = undefined // the database is there, and keeps its owner
    await checkServerHas(maintenance, plan, owner, options)
    await connection.execute(`CREATE SCHEMA ${unfinishedMarker}`, options)
  } else {
    await checkTablesAreEmpty(connection, plan, target)
  }
  try {
    await loadDatabase(job.reader, manifest, plan, target, {
      ...options,
      intoExistingTables: dataOnly,
      onNote: (note) => job.notes.push(note),
    })
  } catch (error) {
    if (dataOnly || !(error instanceof AppError)) throw error
    throw new AppError(error.code, error.message, {
      cause: error.cause,
      hint: `${describeTarget(target)} holds an unfinished restore (schema ${unfinishedMarker}): drop the database and restore again`,
    })
  }
  if (!dataOnly) await connection.execute(`DROP SCHEMA ${unfinishedMarker}`, options)
}

async function checkTablesAreEmpty(connection: Connection, plan: RestorePlan, target: ConnectionTarget): Promise<void> {
  for (const { schema, name } of plan.tables) {
    const rows = await connection.query(`SELECT FROM ONLY ${quoteQualified(schema, name, connection)} LIMIT 1`)
    if (rows.length === 0) continue
    throw new AppError('target-not-empty', `table ${schema}.${name} of ${describeTarget(target)} holds rows already`, {
      hint: 'nothing was changed; --data-only loads into empty tables',
    })
  }
}

/** Creates the roles that the plan names and that the server lacks, with their memberships among each other. */
async function createMissingRoles(
  connection: Connection,
  reader: RepositoryReader,
  manifest: Manifest,
  plan: RestorePlan,
  options: RestoreOptions,
): Promise<void> {
  const globals = await readGlobals(reader, manifest, options)
  const existing = await existingRoles(connection, options)
  const named = rolesOfPlan(plan)
  if (!options.choices.noOwner) named.add(manifest.database.owner)
  for (const { role } of manifest.database.settings) if (role !== null) named.add(role)
  for (const { grantee } of manifest.database.grants ?? []) if (grantee !== null) named.add(grantee)
  const missing = globals.roles.filter(({ name }) => named.has(name) && !existing.has(name))
  for (const role of missing) {
    for (const statement of createRoleStatements(role)) await connection.execute(statement, options)
  }
  const known = await existingRoles(connection, options)
  const usable = { ...globals, memberships: globals.memberships.filter(({ role }) => known.has(role)) }
  const members = new Set(missing.map(({ name }) => name))
  for (const statement of membershipStatements(usable, members, connection.serverVersionNumber)) {
    await connection.execute(statement, options)
  }
}
