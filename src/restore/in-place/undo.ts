import { dropTemporaryDatabase } from '../../postgres/server/temporary-database.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { checkReplaceable } from './check-replaceable.ts'
import { type KeptRecord, type SetAside, keptOnes, listSetAside } from './set-aside.ts'
import { type Swap, type SwapOptions, swapNames } from './swap-names.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** The databases that restores in place have set aside, the newest last. */
export async function findKept(
  maintenance: Connection,
  target: ConnectionTarget,
  options: QueryOptions = {},
): Promise<SetAside<KeptRecord>[]> {
  return keptOnes(await listSetAside(maintenance, target.database, options))
}

/** Gives the name back to what had it before. What has it now is kept in its turn. The name must be claimed. */
export async function undoSwap(
  maintenance: Connection,
  target: ConnectionTarget,
  { name, record }: SetAside<KeptRecord>,
  options: SwapOptions,
): Promise<Swap> {
  await checkReplaceable(maintenance, target, options)
  const { of, run, backup, comment } = record
  const state = record.state === 'before' ? 'undone' : 'before'
  return swapNames(target, { name, comment }, { state, of, run, backup }, options)
}

/** Drops a database that was set aside. The name must be claimed, and what it holds saved. */
export async function dropKept(
  maintenance: Connection,
  { name }: SetAside<KeptRecord>,
  options: QueryOptions = {},
): Promise<void> {
  await dropTemporaryDatabase(maintenance, name, { ...options, force: true })
}
