import { AppError, hasCode } from '../../core/app-error.ts'
import {
  dropAbandonedDatabases,
  dropTemporaryDatabase,
  takeTemporaryDatabase,
} from '../../postgres/server/temporary-database.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import {
  type KeptRecord,
  type SetAside,
  type WorkingRecord,
  belongsToAnother,
  findSetAside,
  isKept,
  keptOnes,
  listSetAside,
  listWorking,
  recordStatement,
  workingOnes,
} from './set-aside.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Drops what killed runs have begun, also where it does not say yet whose place it is to take. As `dropWorking` else. */
export async function dropUnfinished(
  maintenance: Connection,
  target: ConnectionTarget,
  options: QueryOptions = {},
): Promise<string[]> {
  const notes: string[] = []
  await dropAbandonedDatabases(maintenance, { ...options, onNote: (note) => notes.push(note) })
  return [...notes, ...(await dropWorking(maintenance, target, options))]
}

/** Drops what killed runs have restored beside a database, and returns what it did, in words. The name must be claimed. */
export async function dropWorking(
  maintenance: Connection,
  target: ConnectionTarget,
  options: QueryOptions = {},
): Promise<string[]> {
  const notes: string[] = []
  for (const { name, owner, record, trusted } of await listWorking(maintenance, target.database, options)) {
    if (!(await takeTemporaryDatabase(maintenance, name, options))) continue
    try {
      await dropTemporaryDatabase(maintenance, name, { ...options, force: true })
    } catch (error) {
      if (trusted || !hasCode(error, 'permission-denied', 'query-failed')) throw error
      notes.push(`the database ${name} of ${owner} could not be dropped (${error.message})`)
      continue
    }
    notes.push(`dropped the database ${name}, in which run ${record.run} had restored backup ${record.backup}`)
  }
  return notes
}

export type Unfinished = SetAside<WorkingRecord> | SetAside<KeptRecord>

/**
 * What a killed run has left beside a database: a working database, or a swap after which hooks and the like were not
 * run. The name must be claimed, so that no run that is alive is taken for one. Throws `nothing-to-resume`, or
 * `permission-denied` where it can not be trusted.
 */
export async function findUnfinished(
  maintenance: Connection,
  target: ConnectionTarget,
  options: QueryOptions = {},
): Promise<Unfinished> {
  const all = await listSetAside(maintenance, target.database, options)
  const [verified, ...others] = workingOnes(all).toSorted((a, b) => (a.record.state > b.record.state ? -1 : 1))
  const newest = keptOnes(all).at(-1)
  const unfinished = verified ?? others[0] ?? (newest && !newest.record.ended ? newest : undefined)
  if (unfinished) return unfinished
  const [stranger] = (await listWorking(maintenance, target.database, options)).filter(({ trusted }) => !trusted)
  if (stranger) throw belongsToAnother(stranger)
  throw new AppError(
    'nothing-to-resume',
    `no restore in place of ${JSON.stringify(target.database)} was left unfinished`,
    {
      hint: newest
        ? `it is as the restore of ${newest.record.at} left it: --undo takes that back, --finish drops ${newest.name}`
        : 'nothing was changed',
    },
  )
}

/** What follows the swap has been done. `kept` is known from the swap itself, and may belong to anybody. */
export async function endSwap(
  maintenance: Connection,
  kept: string,
  of: string,
  options: QueryOptions = {},
): Promise<void> {
  const found = (await findSetAside(maintenance, of, options)).find(({ name }) => name === kept)
  if (!found || !isKept(found.record)) return
  await maintenance.execute(recordStatement(kept, { ...found.record, ended: true }, maintenance), options)
}
