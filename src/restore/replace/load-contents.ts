import type { Connection } from '../../postgres/wire/connection.ts'
import type { RestorePlan } from '../../repository/backups/restore-plan.ts'
import { loadDatabase } from '../load-database.ts'
import { load } from '../restore-job.ts'
import { removeUnfinishedMark } from '../unfinished-mark.ts'
import { dropLargeObjectsByOid } from './drop-objects.ts'
import type { ReplaceJob } from './replace-database.ts'

/** Loads everything in the transaction that is open. */
export async function loadAtOnce(connection: Connection, job: ReplaceJob): Promise<void> {
  await dropLargeObjectsByOid(connection, job.scene.largeObjects, job.options)
  await loadWithin(connection, job, job.plan, (note) => job.notes.push(note))
}

/**
 * Makes everything but rows in the transaction that is open, and takes it back: what the server refuses, for a right that is
 * missing or a word that it does not know, shows while the old contents can still come back.
 */
export async function rehearse(connection: Connection, job: ReplaceJob): Promise<void> {
  const definitions = { ...job.plan, tables: [], sequences: [], largeObjects: [], viewData: [] }
  await connection.execute('SAVEPOINT pgrevive_rehearsal', job.options)
  await loadWithin(connection, job, definitions, () => undefined)
  await connection.execute('ROLLBACK TO pgrevive_rehearsal; RELEASE pgrevive_rehearsal', job.options)
}

async function loadWithin(
  connection: Connection,
  { reader, manifest, target, options }: ReplaceJob,
  plan: RestorePlan,
  onNote: (note: string) => void,
): Promise<void> {
  await loadDatabase(reader, manifest, plan, target, {
    jobs: 1,
    analyze: false,
    intoExistingTables: false,
    within: connection,
    onNote,
    onProgress: options.onProgress,
    signal: options.signal,
  })
}

/** Loads everything on several connections; the mark goes in the last transaction. */
export async function loadInParallel(connection: Connection, job: ReplaceJob): Promise<void> {
  await dropLargeObjectsByOid(connection, job.scene.largeObjects, job.options)
  await load(job, job.target, (loading) => removeUnfinishedMark(loading, job.options))
}
