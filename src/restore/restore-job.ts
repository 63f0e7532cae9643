import { messageOf } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import type { ServerGlobals } from '../postgres/catalog/server-globals.ts'
import { databasePropertyStatements, mapDatabaseRoles } from '../postgres/sql/database-statements.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { type Backup, readManifest } from '../repository/backups/open-backup.ts'
import type { RestoreChoices, RestorePlan } from '../repository/backups/restore-plan.ts'
import type { Repository } from '../repository/repository.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { commentOnDatabase } from './comment-on-losses.ts'
import { createMissingRoles } from './create-missing-roles.ts'
import { loadDatabase } from './load-database.ts'
import { type Loss, Losses } from './losses.ts'
import { readPlan, readRoles } from './read-plan.ts'
import { existingRoles } from './target-checks.ts'

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

/** One restore that is being done. */
export interface RestoreJob {
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

/** Reads what the backup holds and plans what becomes of it. */
export async function openRestoreJob(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: RestoreOptions,
): Promise<RestoreJob> {
  const { choices } = options
  const reader = await repository.openReader(options)
  const losses = options.skipDamaged ? new Losses(backup.id) : undefined
  const manifest = await readManifest(reader, backup, options)
  const plan = await readPlan(reader, manifest, choices, { ...options, losses })
  const properties = mapDatabaseRoles(manifest.database, choices.roleMap)
  const globals = options.createRoles ? await readRoles(reader, manifest, { ...options, losses }) : undefined
  return { reader, manifest, plan, properties, globals, target, losses, notes: [...plan.notes], options }
}

export function outcomeOf({ plan, target, losses, notes }: RestoreJob): RestoreOutcome {
  return {
    database: target.database,
    tables: plan.tables.length,
    rows: plan.tables.reduce((sum, { rows }) => sum + rows, 0) - (losses?.lostRows ?? 0),
    bytes: plan.tables.reduce((sum, { bytes }) => sum + bytes, 0) - (losses?.lostBytes ?? 0),
    lost: losses?.list() ?? [],
    notes,
  }
}

/** In the comment on the database, so that nobody takes it for whole later. */
export async function sayWhatIsLost(connection: Connection, database: string, { losses, notes, options }: RestoreJob) {
  if (!losses || losses.isEmpty) return
  const { signal } = options
  await commentOnDatabase(connection, database, losses, { signal, onNote: (note) => notes.push(note) })
}

export async function load(
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
export async function applyProperties(
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

/** If that was asked for; also those that the database's own settings and privileges name. */
export async function createRoles(
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
