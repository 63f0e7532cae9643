import { isDeepStrictEqual } from 'node:util'
import { AppError } from '../../core/app-error.ts'
import { endSessionsIn } from '../../postgres/server/end-sessions.ts'
import { reserveTemporaryDatabase } from '../../postgres/server/temporary-database.ts'
import { type ConnectionTarget, type Environment, withDatabase } from '../../postgres/target/connection-target.ts'
import { readDatabaseProperties } from '../../postgres/catalog/database.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { isWhole } from '../../repository/backups/manifest-selection.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Comparison } from '../compare-database.ts'
import { createWorkingDatabase, dropWorkingDatabase, prepareServer } from '../fill-new.ts'
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
import { verifyRestored } from '../verify-restored.ts'
import { checkReplaceable } from './check-replaceable.ts'
import { type SetAside, type WorkingRecord, claimName, keptName, recordStatement, runAt } from './set-aside.ts'
import { type Swap, type SwapOptions, UnknownSwap, endLockHolders, swapNames } from './swap-names.ts'
import { dropWorking } from './unfinished.ts'

export interface SwapInOptions extends SwapOptions {
  /** What a command that goes on is given to find the database: `--to …`. */
  readonly place: string
  /** Called when the restored database is verified, right before the swap. */
  readonly stopWriters: () => Promise<void>
  /** Called then, with the name under which the old database will be kept. */
  readonly saveOld: (kept: string) => Promise<void>
}

export interface InPlaceOptions extends RestoreOptions, SwapInOptions {
  readonly environment: Environment
  /** Take a backup that has left something out. */
  readonly partial: boolean
  /** Called when the backup is of a database of another name; throws unless that is meant. */
  readonly confirmOther: (backedUp: string) => Promise<void>
}

export interface InPlaceOutcome extends RestoreOutcome {
  /** What was read again and found equal. */
  readonly verified: Comparison['compared']
  readonly swap: Swap
}

/**
 * Restores a whole backup beside a database, holds it against the manifest, and then gives it the name of the other, which
 * is kept. What fails before the swap leaves the database as it was; when the restored one is verified by then, it stays,
 * and the run can be resumed.
 */
export async function restoreInPlace(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: InPlaceOptions,
): Promise<InPlaceOutcome> {
  refuseParts(backup, options)
  const opened = await openRestoreJob(repository, backup, target, options)
  // its comment is in the record until it has its name
  const job = { ...opened, options, properties: { ...opened.properties, comment: null } }
  await using maintenance = await connectForMaintenance(target, options)
  await claimName(maintenance, target.database, options)
  await checkReplaceable(maintenance, target, options)
  const { name } = opened.manifest.database
  if (![name, backup.record.database].includes(target.database)) await options.confirmOther(name)
  job.notes.push(...(await dropWorking(maintenance, target, options)))
  const owner = await prepareServer(maintenance, job, 'in-place')
  job.notes.push(...(await changedProperties(target, job, options)))
  const { working, verified } = await restoreBeside(maintenance, owner, job, {
    of: target.database,
    run: runAt(new Date()),
    backup: backup.id,
    choices: resumableChoices(options),
    comment: opened.properties.comment,
  })
  const swap = await swapIn(target, working, options)
  return { ...outcomeOf(job), verified, swap }
}

async function restoreBeside(
  maintenance: Connection,
  owner: string | undefined,
  job: RestoreJob & { readonly options: InPlaceOptions },
  facts: Omit<WorkingRecord, 'state'>,
): Promise<{ working: Pick<SetAside<WorkingRecord>, 'name' | 'record'>; verified: Comparison['compared'] }> {
  const { reader, manifest, plan, notes, target, options } = job
  const name = await reserveTemporaryDatabase(maintenance, 'swap', options)
  const enter = async (record: WorkingRecord) => {
    await maintenance.execute(recordStatement(name, record, maintenance), options)
    return { name, record }
  }
  try {
    await createWorkingDatabase(maintenance, name, owner, job)
    await enter({ ...facts, state: 'loading' })
    const there = withDatabase(target, name)
    await load(job, there)
    const onNote = (note: string) => void notes.push(note)
    const { compared } = await verifyRestored(reader, manifest, there, maintenance.serverVersionNumber, {
      ...options,
      onNote,
    })
    if (plan.whole) await applyProperties(maintenance, name, owner, job)
    await endSessionsIn(maintenance, name, options)
    return { working: await enter({ ...facts, state: 'verified' }), verified: compared }
  } catch (error) {
    await dropWorkingDatabase(target, name, error)
    throw error
  }
}

/** The end of a run, and of one that is resumed. */
export async function swapIn(
  target: ConnectionTarget,
  { name, record }: Pick<SetAside<WorkingRecord>, 'name' | 'record'>,
  options: SwapInOptions,
): Promise<Swap> {
  const { of, run, backup, comment } = record
  const kept = { state: 'before', of, run, backup } as const
  try {
    await options.stopWriters()
    await endLockHolders(target, options)
    await options.saveOld(keptName(kept))
    options.signal?.throwIfAborted()
    return await swapNames(target, { name, comment }, kept, options)
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof UnknownSwap) throw error
    const { code, message, cause, hint } = error
    const next = `${JSON.stringify(of)} is as it was, and the restored one is ready as ${name}: "pgrevive restore --resume ${options.place}" swaps them, "--abort" drops it`
    throw new AppError(code, message, { cause, hint: hint === undefined ? next : `${hint}; ${next}` })
  }
}

function refuseParts({ record }: Backup, { choices, partial, skipDamaged }: InPlaceOptions): void {
  const isPart = choices.tables.length > 0 || choices.schemas.length > 0 || choices.content !== 'all'
  if (isPart || skipDamaged) {
    throw new AppError('usage-invalid', 'a part of a backup does not take the place of a whole database', {
      hint: 'restore it beside, with --to and another name, or single tables with --into-schema',
    })
  }
  if (partial || isWhole(record.selection)) return
  throw new AppError('usage-invalid', `backup ${record.database} left something out, which would be missing then`, {
    hint: 'restore it beside, with --to and another name; or add --partial: what was there before is kept under another name',
  })
}

/** What the database itself is given up of: its settings and privileges are those of the backup, too. */
async function changedProperties(
  target: ConnectionTarget,
  { properties }: RestoreJob,
  options: InPlaceOptions,
): Promise<string[]> {
  await using connection = await Connection.connect(target, { signal: options.signal })
  const live = await readDatabaseProperties(connection, { signal: options.signal })
  const changed = (['owner', 'grants', 'settings', 'connectionLimit'] as const).filter(
    (key) => !isDeepStrictEqual(live[key], properties[key]),
  )
  if (changed.length === 0) return []
  const words = { owner: 'owner', grants: 'privileges', settings: 'settings', connectionLimit: 'connection limit' }
  const names = changed.map((key) => words[key]).join(', ')
  return [`of the database itself, as in the backup and no longer as they were: ${names}`]
}

function resumableChoices({ choices, createRoles }: InPlaceOptions): WorkingRecord['choices'] {
  const { noOwner, noPrivileges, noTablespaces, roleMap } = choices
  return { noOwner, noPrivileges, noTablespaces, roleMap: [...roleMap], createRoles }
}
