import { basename } from 'node:path'
import { AppError, hasCode } from '../../core/app-error.ts'
import {
  type DatabaseProperties,
  type Grant,
  grantStatements,
  readDatabaseProperties,
} from '../../postgres/catalog/database.ts'
import { endSessionsIn } from '../../postgres/server/end-sessions.ts'
import { reserveTemporaryDatabase } from '../../postgres/server/temporary-database.ts'
import { databaseLimitStatements } from '../../postgres/sql/database-statements.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type ConnectionTarget, type Environment, withDatabase } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { prepareAsOrdinary } from '../../postgres/wire/session-settings.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Comparison } from '../compare-database.ts'
import { connectForText, textEncodingOf, withEncoding } from '../connect-for-text.ts'
import { createWorkingDatabase, dropWorkingDatabase, prepareServer } from '../fill-new.ts'
import { checkReplaceable } from '../in-place/check-replaceable.ts'
import { claimName, keptOnes, listSetAside, runAt } from '../in-place/set-aside.ts'
import { type Swap, type SwapOptions, swapNames } from '../in-place/swap-names.ts'
import { dropKept } from '../in-place/undo.ts'
import { endSwap } from '../in-place/unfinished.ts'
import { connectForMaintenance } from '../maintenance-connection.ts'
import {
  type RestoreJob,
  type RestoreOptions,
  type RestoreOutcome,
  applyProperties,
  load,
  openRestoreJob,
  outcomeOf,
} from '../restore-job.ts'
import { existingRoles } from '../target-checks.ts'
import { verifyRestored } from '../verify-restored.ts'
import { fillViewsAgain } from './fill-views-again.ts'
import { type SqlScript, runSqlScript } from './sql-script.ts'

export interface RefreshOptions extends Omit<RestoreOptions, 'analyze' | 'skipDamaged'>, SwapOptions {
  /** The name of the refresh: what it has left is known by it. */
  readonly refresh: string
  readonly scripts: readonly SqlScript[]
  /** What is replaced stays under another name, until the next time. */
  readonly keep: boolean
  readonly environment: Environment
}

export interface RefreshOutcome extends RestoreOutcome {
  readonly verified: Comparison['compared']
  /** null: there was no database of the name before. */
  readonly swap: Swap | null
  /** What was replaced is still there. */
  readonly kept: string | null
}

/**
 * Restores a whole backup beside a database, changes it by scripts, and then gives it the name of the other, which is
 * dropped. Until the scripts have ended well nobody may connect to it but the current user and superusers; whatever fails or
 * is killed before the swap leaves the database as it was, and what is left goes with the next run on the server.
 * The database keeps its owner, privileges and settings; one that is not there yet gets those of the backup.
 */
export async function refreshDatabase(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: RefreshOptions,
): Promise<RefreshOutcome> {
  const opened = await openRestoreJob(repository, backup, target, { ...options, analyze: false })
  await using maintenance = await connectForMaintenance(target, options)
  await claimName(maintenance, target.database, options)
  const live = await readLive(target, options)
  if (live) await checkReplaceable(maintenance, target, options)
  const job: RestoreJob = live ? { ...opened, properties: live } : opened
  if (!options.keep) job.notes.push(...(await dropReplaced(maintenance, target, options)))
  const prepared = await prepareServer(maintenance, live ? ownedBy(job, live.owner) : job, live ? 'in-place' : 'new')
  const owner = live?.owner ?? prepared
  const working = await reserveTemporaryDatabase(maintenance, 'refresh', options)
  try {
    await createWorkingDatabase(maintenance, working, undefined, opened)
    await maintenance.execute(`REVOKE ALL ON DATABASE ${quoteIdentifier(working)} FROM PUBLIC`, options)
    const verified = await fill(job, working, maintenance, options)
    await applySettings(maintenance, working, owner, job)
    await runScripts(withDatabase(target, working), job, options)
    await fillViewsAgain(withDatabase(target, working), job)
    await openToOthers(maintenance, working, owner, job)
    await endSessionsIn(maintenance, working, options)
    options.signal?.throwIfAborted()
    if (!live) {
      await giveName(maintenance, working, target.database, options)
      return { ...outcomeOf(job), verified, swap: null, kept: null }
    }
    const { comment } = live
    const kept = { state: 'before', of: target.database, run: runAt(new Date()), backup: backup.id } as const
    const swap = await swapNames(target, { name: working, comment }, { ...kept, refresh: options.refresh }, options)
    const left = await leaveReplaced(maintenance, target, swap, job, options)
    return { ...outcomeOf(job), verified, swap, kept: left }
  } catch (error) {
    await dropWorkingDatabase(target, working, error)
    throw error
  }
}

type QueryOptions = Pick<RefreshOptions, 'signal'>

/** undefined: there is none. */
async function readLive(target: ConnectionTarget, { signal }: QueryOptions): Promise<DatabaseProperties | undefined> {
  try {
    await using connection = await Connection.connect(target, { signal })
    return await readDatabaseProperties(connection, { signal })
  } catch (error) {
    if (hasCode(error, 'database-missing')) return undefined
    throw error
  }
}

/** The owner of the backup's database need not be there. */
function ownedBy(job: RestoreJob, owner: string): RestoreJob {
  return { ...job, manifest: { ...job.manifest, database: { ...job.manifest.database, owner } } }
}

async function fill(
  job: RestoreJob,
  working: string,
  { serverVersionNumber }: Connection,
  options: RefreshOptions,
): Promise<Comparison['compared']> {
  const { reader, manifest, notes, target } = job
  const there = withDatabase(target, working)
  await load(job, there)
  const onNote = (note: string) => void notes.push(note)
  return (await verifyRestored(reader, manifest, there, serverVersionNumber, { ...options, onNote })).compared
}

/** What scripts may rely on, such as a search_path; nothing that lets anybody in. */
async function applySettings(
  maintenance: Connection,
  working: string,
  owner: string | undefined,
  job: RestoreJob,
): Promise<void> {
  const properties = { ...job.properties, grants: null, connectionLimit: -1, isTemplate: false }
  await applyProperties(maintenance, working, owner, { ...job, properties })
}

async function runScripts(target: ConnectionTarget, { manifest }: RestoreJob, options: RefreshOptions): Promise<void> {
  const { scripts, signal, onProgress } = options
  for (const [done, script] of scripts.entries()) {
    const detail = basename(script.path)
    onProgress?.({ phase: 'scripts', unit: 'items', done, total: scripts.length, detail })
    await using connection = await connectForText(target, manifest, options)
    await prepareAsOrdinary(connection)
    await withEncoding(connection, textEncodingOf(manifest), signal)
    await runSqlScript(connection, script, options)
  }
}

/** Its owner, and who may connect: as before, or where there was none, as in the backup. */
async function openToOthers(
  maintenance: Connection,
  working: string,
  owner: string | undefined,
  { properties, notes, options }: RestoreJob,
): Promise<void> {
  const { grants } = properties
  const database = `DATABASE ${quoteIdentifier(working)}`
  const roles = await existingRoles(maintenance, options)
  const isKnown = ({ grantee }: Grant) => grantee === null || roles.has(grantee)
  if (grants !== null && owner === undefined) {
    notes.push('privileges on the database itself were left out, since its owner is another')
  }
  const privileges =
    grants === null || owner === undefined
      ? [`GRANT CONNECT, TEMPORARY ON ${database} TO PUBLIC`] // as every new database has them
      : grantStatements(database, owner, grants.filter(isKnown))
  const statements = [
    ...(owner === undefined ? [] : [`ALTER ${database} OWNER TO ${quoteIdentifier(owner)}`]),
    ...privileges,
    ...databaseLimitStatements(working, properties),
  ]
  for (const statement of statements) await maintenance.execute(statement, options)
}

async function giveName(maintenance: Connection, working: string, name: string, options: QueryOptions): Promise<void> {
  const [before, after] = [quoteIdentifier(working), quoteIdentifier(name)]
  await maintenance.execute(`ALTER DATABASE ${before} RENAME TO ${after}`, options)
}

/** Drops what has been replaced, or what was before that. The refresh is done: what fails is told. Returns what stays. */
async function leaveReplaced(
  maintenance: Connection,
  target: ConnectionTarget,
  { kept }: Swap,
  { notes }: RestoreJob,
  options: RefreshOptions,
): Promise<string | null> {
  try {
    if (options.keep) await endSwap(maintenance, kept, target.database, options)
    notes.push(...(await dropReplaced(maintenance, target, options, options.keep ? kept : undefined)))
    return options.keep ? kept : null
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    notes.push(`${kept}, which was replaced, is still there, and goes with the next refresh: ${error.message}`)
    return kept
  }
}

/** Drops all that refreshes have replaced but one. */
async function dropReplaced(
  maintenance: Connection,
  target: ConnectionTarget,
  options: QueryOptions,
  except?: string,
): Promise<string[]> {
  const notes: string[] = []
  for (const kept of keptOnes(await listSetAside(maintenance, target.database, options))) {
    if (kept.record.refresh === undefined || kept.name === except) continue
    notes.push(...(await dropKept(maintenance, kept, options)))
  }
  return notes
}
