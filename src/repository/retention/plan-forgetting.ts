import { AppError } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { listNotes } from './backup-notes.ts'
import { type Backup, listBackups, listProofs, momentOf, readManifest } from '../backups/open-backup.ts'
import type { Repository } from '../repository.ts'
import {
  decideRetention,
  type Decision,
  floors,
  newestFirst,
  type RetainedBackup,
  type RetentionPolicy,
} from './retention.ts'
import { type BackupSize, findShrinkage, type Shrinkage } from './shrinkage.ts'

/** What is to become of the backups, as the repository is now. */
export interface ForgettingPlan {
  readonly decisions: readonly Decision[]
  /** While there is any of a database, no policy forgets backups of it: somebody has to look at it first. */
  readonly shrinkage: readonly Shrinkage[]
  /** Ids of backups whose record can not be read: no policy says anything about them. */
  readonly damaged: readonly string[]
}

export interface ForgettingRules {
  readonly policyOf: (database: string) => RetentionPolicy | undefined
  /** How much less a backup may hold than the one before it. */
  readonly shrinkPercentOf: (database: string) => number
}

/**
 * Applies policies to all backups that `concerns` says yes to. The age of a backup is that of its record in the store; of
 * an imported one, that of its dump.
 */
export async function planForgetting(
  repository: Repository,
  { policyOf, shrinkPercentOf }: ForgettingRules,
  options: AbortOptions & { readonly concerns?: ((database: string) => boolean) | undefined } = {},
): Promise<ForgettingPlan> {
  const { concerns = () => true } = options
  const { backups, damaged } = await listBackups(repository, options)
  const concerned = backups.filter(({ record }) => concerns(record.database))
  const { retained, acknowledged } = await retainedBackups(repository, concerned, options)
  const now = await repository.store.now(options)
  const decisions = decideRetention(retained, { policyOf, now })
  const toThin = new Set(decisions.filter(({ keep }) => !keep).map(({ backup }) => backup.database))
  const shrinkage: Shrinkage[] = []
  for (const database of toThin) {
    const sizes = await readSizes(
      repository,
      // foreign dumps may have been of anything
      concerned.filter(({ record }) => record.database === database && !record.imported),
      options,
    )
    shrinkage.push(...findShrinkage(sizes, { acknowledged, shrinkPercent: shrinkPercentOf(database) }))
  }
  return { decisions, shrinkage, damaged }
}

/** Those of another repository's backups that the policies here would keep, were they copied here now. */
export async function worthCopying(
  repository: Repository,
  candidates: readonly Backup[],
  policyOf: ForgettingRules['policyOf'],
  options: AbortOptions = {},
): Promise<Backup[]> {
  const { backups } = await listBackups(repository, options)
  const { retained } = await retainedBackups(repository, backups, options)
  const copies = candidates.map((backup): RetainedBackup => ({
    ...retainedBackup(backup),
    isCopied: true,
    isUnverified: false,
  }))
  const now = await repository.store.now(options)
  const decisions = decideRetention([...retained, ...copies], { policyOf, now })
  const kept = new Set(decisions.filter(({ keep }) => keep).map(({ backup }) => backup.id))
  return candidates.filter(({ id }) => kept.has(id))
}

/**
 * Throws `backup-kept` if one of the backups is pinned, or the newest whole or newest proven one of its database, unless
 * `evenNewest`. Those whose record is damaged may be forgotten.
 */
export async function refuseKept(
  repository: Repository,
  ids: readonly string[],
  { evenNewest, signal }: AbortOptions & { readonly evenNewest: boolean },
): Promise<void> {
  const { backups } = await listBackups(repository, { signal })
  const { retained, pins } = await retainedBackups(repository, backups, { signal })
  for (const id of ids) {
    const pin = pins.get(id)
    if (pin === undefined) continue
    throw new AppError('backup-kept', `backup ${id} is pinned: ${pin.reason}`, { hint: `first "pgrevive unpin ${id}"` })
  }
  if (evenNewest) return
  for (const ofDatabase of Map.groupBy(newestFirst(retained), ({ database }) => database).values()) {
    for (const { backup, name } of floors(ofDatabase)) {
      if (!ids.includes(backup.id)) continue
      throw new AppError('backup-kept', `backup ${backup.id} is the ${name} of "${backup.database}"`, {
        hint: 'with --even-newest it is forgotten all the same',
      })
    }
  }
}

async function retainedBackups(repository: Repository, backups: readonly Backup[], options: AbortOptions) {
  const proofs = await listProofs(repository, options)
  const { pins, acknowledged, unreadable } = await listNotes(repository, options)
  const [note] = unreadable
  if (note !== undefined) {
    throw new AppError('object-damaged', `${note} can not be read, and may say that a backup is pinned`, {
      hint: 'nothing was forgotten; pin again what is to stay, remove that object, and try again',
    })
  }
  const retained = backups.map((backup): RetainedBackup => ({
    ...retainedBackup(backup),
    proof: proofs.get(backup.id)?.outcome,
    pin: pins.get(backup.id)?.reason,
  }))
  return { retained, pins, acknowledged }
}

function retainedBackup({ id, committedAt, state, record }: Backup): RetainedBackup {
  return {
    id,
    database: record.database,
    selection: record.selection,
    takenAt: takenAt({ id, committedAt, record }),
    isImported: record.imported !== undefined,
    isCopied: record.copied !== undefined,
    isUnverified: state === 'unverified',
    proof: undefined,
    pin: undefined,
  }
}

/** Nobody can say that a backup is younger than its record. */
function takenAt({ id, committedAt, record }: Pick<Backup, 'id' | 'committedAt' | 'record'>): Date {
  const { imported, copied } = record
  const said = imported ? momentOf({ id, record }) : copied ? Date.parse(copied.committedAt) : +committedAt
  return new Date(Math.min(+committedAt, said))
}

async function readSizes(repository: Repository, backups: readonly Backup[], options: AbortOptions) {
  const reader = await repository.openReader(options)
  const sizes: BackupSize[] = []
  for (const backup of backups) {
    const { tables, tablesWithoutData } = await readManifest(reader, backup, options)
    const { database, selection, totals } = backup.record
    sizes.push({
      id: backup.id,
      database,
      selection,
      rows: totals.rows,
      bytes: totals.bytes,
      tables: [...tables, ...tablesWithoutData].map(({ schema, name }) => `${schema}.${name}`),
    })
  }
  return sizes
}
