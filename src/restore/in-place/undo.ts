import { endSessionsIn } from '../../postgres/server/end-sessions.ts'
import { dropTemporaryDatabase } from '../../postgres/server/temporary-database.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { checkReplaceable } from './check-replaceable.ts'
import { type KeptRecord, type SetAside, commentStatement, keptOnes, listSetAside } from './set-aside.ts'
import { type Swap, type SwapOptions, explainBusy, isThere, swapNames } from './swap-names.ts'

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
  { name }: SetAside<KeptRecord>,
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
  return slots.map(([slot]) => `the logical replication slot ${slot} went with ${name}`)
}
