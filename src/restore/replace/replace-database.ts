import { endClientsIn } from '../../postgres/server/end-sessions.ts'
import { AppError } from '../../core/app-error.ts'
import { type ConnectionTarget, type Environment, describeTarget } from '../../postgres/target/connection-target.ts'
import { copyLargeObjectsOut } from '../../postgres/catalog/large-objects.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { prepareForLoading } from '../../postgres/wire/session-settings.ts'
import type { Selection } from '../../repository/backups/manifest.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import { rolesOfPlan } from '../../repository/backups/restore-plan.ts'
import type { Repository } from '../../repository/repository.ts'
import { collectStatistics, listTablesToAnalyze } from '../collect-statistics.ts'
import type { Difference } from '../compare-database.ts'
import { connectForText } from '../connect-for-text.ts'
import { type WaitOptions, explainWaits, withLockTimeout } from '../lock-waits.ts'
import { requireReadiness } from '../preflight/preflight.ts'
import {
  type RestoreJob,
  type RestoreOptions,
  type RestoreOutcome,
  createRoles,
  openRestoreJob,
  outcomeOf,
  sayWhatIsLost,
} from '../restore-job.ts'
import { claimDatabase, removeUnfinishedMark, setUnfinishedMark } from '../unfinished-mark.ts'
import { verifyRestored } from '../verify-restored.ts'
import { dropObjects, emptyConfigurationTables, largeObjectsAtOnce } from './drop-objects.ts'
import { holdStill } from './hold-still.ts'
import { loadAtOnce, loadInParallel, rehearse } from './load-contents.ts'
import { refuseUnfit } from './refuse-unfit.ts'
import { type AmongOthers, amongOthers } from './others-objects.ts'
import { type Scene, readScene } from './scene.ts'

/** What is about to be done to a database. */
export interface Replacement {
  readonly scene: Scene
  /** Present: a restore did not end, and what was there before is in this backup, which is at hand. */
  readonly unfinished: { readonly safetyBackup: string } | undefined
  /** Everything in one transaction: whoever looks sees the old contents or the new ones. */
  readonly atOnce: boolean
}

/** How a database is looked at that is to be replaced. */
export interface SurveyOptions extends WaitOptions {
  /** Whether a backup is at hand, and of what was in this database before it was replaced; absent: none is. */
  readonly isSafetyBackup?: ((id: string) => Promise<boolean>) | undefined
}

export interface ReplaceOptions extends RestoreOptions, SurveyOptions {
  readonly environment: Environment
  /** Told what is about to be done, before anything is; throws unless it shall be. */
  readonly confirm: (replacement: Replacement) => Promise<void>
  /** Backs up the database as it is, for good; returns the id. */
  readonly backUp: (selection: Selection) => Promise<string>
  /** The command that restores this backup in the same way. */
  readonly comeBack: (id: string) => string
}

/** A replacement that is being done. */
export interface ReplaceJob extends RestoreJob, Replacement {
  readonly options: ReplaceOptions
  readonly leftOut: AmongOthers['leftOut']
}

export interface ReplaceOutcome extends RestoreOutcome {
  /** Of what was there before. */
  readonly safetyBackup: string
  readonly atOnce: boolean
}

/** Below this, a transaction is over before anybody minds that the tables can not be read. */
const atOnceBytes = 100_000_000

/**
 * Restores into an existing database, in the place of what the current role owns in it. Nothing is dropped that is not in
 * a backup: tables can be read and not written to from the time before that is taken until they are dropped. A small
 * database is replaced in one transaction. For a large one, dropping and a rehearsal of all definitions are the first
 * transaction, and the rows are loaded on several connections; what is there in between bears a mark that names the backup.
 */
export async function replaceDatabase(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: ReplaceOptions,
): Promise<ReplaceOutcome> {
  const opened = await openRestoreJob(repository, backup, target, options)
  await using connection = await connectForText(target, opened.manifest, options)
  await prepareForLoading(connection)
  await connection.execute('RESET synchronous_commit', options)
  const surveyed = await surveyReplacement(connection, opened, options)
  await withLockTimeout(connection, options, () =>
    requireReadiness(connection, { ...surveyed.job, way: 'replace', jobs: options.jobs }, options),
  )
  const job: ReplaceJob = { ...surveyed.job, ...surveyed, options }
  await options.confirm(job)
  await createRoles(connection, rolesOfPlan(job.plan), job)
  const safetyBackup = await replaceContents(connection, job)
  await orWayBack(job, safetyBackup, () => finish(connection, job))
  return { ...outcomeOf(job), safetyBackup, atOnce: job.atOnce }
}

interface Surveyed extends Replacement {
  /** Without what stays. */
  readonly job: RestoreJob
  readonly leftOut: AmongOthers['leftOut']
}

/** Looks at what is to be replaced, and claims it. Throws what stands in the way. */
export async function surveyReplacement(
  connection: Connection,
  opened: RestoreJob,
  options: SurveyOptions,
): Promise<Surveyed> {
  return withLockTimeout(connection, options, () => survey(connection, opened, options))
}

async function survey(
  connection: Connection,
  opened: RestoreJob,
  { isSafetyBackup }: SurveyOptions,
): Promise<Surveyed> {
  await refuseUnfit(connection, opened)
  const { trusted, safetyBackup } = (await claimDatabase(connection, opened.options)) ?? {}
  // what the mark says counts only where it spares a backup that is there
  const counts = trusted === true && safetyBackup !== undefined && (await isSafetyBackup?.(safetyBackup)) === true
  const unfinished = counts ? { safetyBackup } : undefined
  const { job, leftOut } = await amongOthers(connection, opened)
  const scene = await readScene(connection, job)
  return { job, leftOut, scene, unfinished, atOnce: fitsOneTransaction(job, scene) }
}

function fitsOneTransaction({ plan, losses }: RestoreJob, { largeObjects }: Scene): boolean {
  const bytes = plan.tables.reduce((sum, table) => sum + table.bytes, 0)
  return !losses && bytes < atOnceBytes && plan.largeObjects.length === 0 && largeObjects.length <= largeObjectsAtOnce
}

/** Returns the id of the safety backup. */
async function replaceContents(connection: Connection, job: ReplaceJob): Promise<string> {
  const { scene, unfinished, atOnce, options, notes } = job
  let safetyBackup = unfinished?.safetyBackup
  let isCommitting = false
  try {
    const ended = await endClientsIn(connection, job.target.database, options)
    if (ended > 0) notes.push(`${ended === 1 ? '1 session' : `${ended} sessions`} in the database ended for it`)
    await holdStill(connection, scene.tables, options)
    const written = await digestOf(connection, scene, options)
    // what a restore that did not end has left is no state to come back to
    safetyBackup ??= await options.backUp(job.manifest.selection)
    await endClientsIn(connection, job.target.database, options)
    await explainWaits(options, () => refuseChanges(connection, job, written))
    await explainWaits(options, () => dropObjects(connection, scene, options))
    await emptyConfigurationTables(connection, job.plan.tables, scene, options)
    if (atOnce) await loadAtOnce(connection, job)
    else await rehearse(connection, job)
    if (atOnce) await removeUnfinishedMark(connection, options)
    else await setUnfinishedMark(connection, { ...options, safetyBackup })
    options.signal?.throwIfAborted()
    isCommitting = true
    await connection.execute('COMMIT') // without the signal: only its answer tells what became of it
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (isCommitting && safetyBackup !== undefined && error.code === 'connection-lost') {
      throw unknownCommit(error, job, safetyBackup)
    }
    const { code, message, cause, hint = 'mend it, and run the same command again' } = error
    const safe = safetyBackup === undefined || unfinished ? '' : `; a backup of it is ${safetyBackup}`
    throw new AppError(code, `${message}; ${describeTarget(job.target)} is as it was before${safe}`, { cause, hint })
  }
  if (!atOnce) await orWayBack(job, safetyBackup, () => loadInParallel(connection, job))
  return safetyBackup
}

/** The server may have committed, or not. */
function unknownCommit({ code, message, cause }: AppError, job: ReplaceJob, safetyBackup: string): AppError {
  const { target, atOnce, options } = job
  const contents = atOnce ? 'what it held before or what the backup holds' : 'what it held before, or nothing yet'
  return new AppError(code, `${message}, while it was asked to commit; ${describeTarget(target)} holds ${contents}`, {
    cause,
    hint: `look at it; running the same command again goes on, and this brings back what was there before: ${options.comeBack(safetyBackup)}`,
  })
}

/** Somebody may have made, changed or dropped something while the safety backup was taken: that is not in it. */
async function refuseChanges(connection: Connection, job: ReplaceJob, written: string): Promise<void> {
  const versionsOf = ({ drops, largeObjects }: Scene) =>
    [...drops.map(({ key, version }) => `${key} ${version}`), ...largeObjects].join()
  const scene = await readScene(connection, job)
  const isSame = versionsOf(scene) === versionsOf(job.scene)
  if (isSame && (await digestOf(connection, scene, job.options)) === written) return
  throw new AppError('object-changed', 'objects were made, changed or dropped while the safety backup was taken', {
    hint: 'stop what changes definitions or large objects in the database, and run the same command again',
  })
}

/** Of what large objects hold: they can not be locked. */
async function digestOf(connection: Connection, { largeObjects }: Scene, options: ReplaceOptions): Promise<string> {
  if (largeObjects.length === 0) return ''
  const copy = connection.copyOut(copyLargeObjectsOut, options)
  for await (const _piece of copy) void _piece
  const { rows, bytes, hash } = copy.digest
  return `${rows} ${bytes} ${hash}`
}

/** From here on, what was there before is only in the safety backup: a failure says so. */
async function orWayBack(job: ReplaceJob, safetyBackup: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { code, message, cause, hint } = error
    const { comeBack } = job.options
    const back = `this brings back what was there before: ${comeBack(safetyBackup)}; running the same command again goes on`
    throw new AppError(code, `${message}; ${describeTarget(job.target)} does not hold what it should`, {
      cause,
      hint: hint === undefined ? back : `${back}; ${hint}`,
    })
  }
}

async function finish(connection: Connection, job: ReplaceJob): Promise<void> {
  const { reader, manifest, target, plan, losses, notes, options, scene, leftOut } = job
  const onNote = (note: string) => void notes.push(note)
  await sayWhatIsLost(connection, target.database, job)
  if (job.atOnce && options.analyze) {
    const how = { ...options, losses, intoExistingTables: false, onNote }
    for (const table of await listTablesToAnalyze(connection, plan, how))
      await collectStatistics(connection, table, how)
  }
  notes.push('the database itself was there: it keeps its owner, encoding, locale, settings and privileges')
  if (losses && !losses.isEmpty) return
  if (options.choices.content !== 'all') return
  const isBeside = (difference: Difference) => leftOut.has(difference.object) || belongsToOthers(difference, scene)
  await verifyRestored(reader, manifest, target, connection.serverVersionNumber, { ...options, isBeside, onNote })
}

/** Something that stayed, and that the backup does not hold. */
function belongsToOthers({ object, problem }: Difference, { stays }: Scene): boolean {
  if (problem !== 'was not there' && problem !== 'was not backed up') return false
  return stays.some(({ schema, identity, type }) => {
    const isInSchema = type !== 'schema' && identity.includes('.')
    const name = isInSchema ? identity.slice(identity.indexOf('.') + 1) : identity
    return object.includes(name) && (!isInSchema || object.includes(`${schema}.`))
  })
}
