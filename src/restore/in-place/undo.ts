import { AppError } from '../../core/app-error.ts'
import { endSessionsIn } from '../../postgres/server/end-sessions.ts'
import { dropTemporaryDatabase } from '../../postgres/server/temporary-database.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { checkReplaceable } from './check-replaceable.ts'
import {
  type KeptRecord,
  type SetAside,
  commentStatement,
  droppingName,
  keptName,
  keptOnes,
  listSetAside,
} from './set-aside.ts'
import { type Swap, type SwapOptions, explainBusy, isThere, renameDatabase, swapNames } from './swap-names.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** The databases that restores in place have set aside, the newest last. */
export async function findKept(
  maintenance: Connection,
  target: ConnectionTarget,
  options: QueryOptions = {},
): Promise<SetAside<KeptRecord>[]> {
  return keptOnes(await listSetAside(maintenance, target.database, { ...options, needed: true }))
}

/** Gives the name back to what had it before. What has it now, if anything, is kept in its turn. The name must be claimed. */
export async function undoSwap(
  maintenance: Connection,
  target: ConnectionTarget,
  { name, record }: SetAside<KeptRecord>,
  options: SwapOptions,
): Promise<Swap | undefined> {
  const { of, run, backup, comment, refresh } = record
  if (!(await isThere(maintenance, of))) {
    await endSessionsIn(maintenance, name, options)
    const [before, after] = [quoteIdentifier(name, maintenance), quoteIdentifier(of, maintenance)]
    await maintenance.execute(
      `BEGIN; ALTER DATABASE ${before} RENAME TO ${after}; ${commentStatement(of, comment, maintenance)}; COMMIT`,
    )
    return undefined
  }
  await checkReplaceable(maintenance, target, options)
  const state = record.state === 'before' ? 'undone' : 'before'
  return swapNames(target, { name, comment }, { state, of, run, backup, refresh }, options)
}

/**
 * Drops a database that was set aside, and returns what goes with it, in words. The name must be claimed, and what it holds
 * saved. Throws `target-busy`.
 */
export async function dropKept(
  maintenance: Connection,
  { name, record }: Pick<SetAside<KeptRecord>, 'name' | 'record'>,
  options: QueryOptions = {},
): Promise<string[]> {
  const slots = await maintenance.query(
    `SELECT slot_name FROM pg_catalog.pg_replication_slots
     WHERE database OPERATOR(pg_catalog.=) ${quoteLiteral(name, maintenance)}`,
    options,
  )
  try {
    await dropTemporaryDatabase(maintenance, name, { ...options, force: true })
  } catch (error) {
    throw explainBusy(error, [name])
  }
  return slots.map(([slot]) => `the logical replication slot ${slot} went with ${keptName(record)}`)
}

/**
 * Saves a database that was set aside, and drops it. Before it is saved, its sessions are ended, and until it is dropped it
 * has a name that no client uses: nothing is written to it that would not be saved. A failure gives it its name back.
 */
export async function dropSaved<Saved>(
  maintenance: Connection,
  { name, record }: SetAside<KeptRecord>,
  save: (name: string) => Promise<Saved>,
  options: QueryOptions = {},
): Promise<{ readonly saved: Saved; readonly notes: string[] }> {
  const [kept, dropping] = [keptName(record), droppingName(record)]
  // a run that was killed may have given it this name, and somebody may have found it since
  if (name === dropping) await renameDatabase(maintenance, dropping, kept, options)
  await renameDatabase(maintenance, kept, dropping, options)
  try {
    const saved = await save(dropping)
    return { saved, notes: await dropKept(maintenance, { name: dropping, record }, options) }
  } catch (error) {
    await giveBackName(maintenance, dropping, kept, error)
    throw error
  }
}

/** Whatever was stopped: without a signal. */
async function giveBackName(maintenance: Connection, dropping: string, kept: string, error: unknown): Promise<void> {
  try {
    await renameDatabase(maintenance, dropping, kept)
  } catch (problem) {
    if (!(error instanceof AppError && problem instanceof AppError)) throw error
    const { code, message, cause, hint } = error
    const stays = `${kept} is called ${dropping} now (${problem.message}); --finish and --undo find it`
    throw new AppError(code, message, { cause, hint: hint === undefined ? stays : `${hint}; ${stays}` })
  }
}
