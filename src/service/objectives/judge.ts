import { formatAge, formatDuration } from '../../core/text/format.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import type { ObjectiveState, Objectives, Reason } from '../../shapes/database.ts'

/** What is known of the backups of one database. */
export interface Facts {
  readonly database: string
  /** Nothing is, before the repositories were looked at. */
  readonly isKnown: boolean
  readonly backups: readonly BackupFact[]
  /** Those that each backup is to be in. */
  readonly repositories: readonly string[]
  /** Those of them that could not be reached when they were last looked at. */
  readonly away: readonly string[]
  /** The newest run of a backup that ended. */
  readonly lastBackupRun: { readonly failed: boolean; readonly error: string | null } | undefined
  /** One waits or is at work. */
  readonly isBackingUp: boolean
  readonly isProving: boolean
  /** When the schedules want the next ones. */
  readonly nextBackup: Date | undefined
  readonly nextProof: Date | undefined
}

export interface BackupFact {
  readonly id: string
  readonly snapshotAt: Date
  /** It leaves out no more than pgrevive.yaml asks for. */
  readonly isWhole: boolean
  readonly repositories: readonly string[]
  readonly proof: { readonly outcome: 'proven' | 'refuted'; readonly at: Date; readonly tookMs: number } | null
}

export interface Judgement {
  readonly state: ObjectiveState
  /** The worst first. */
  readonly reasons: readonly Reason[]
  /** The snapshot of the newest whole backup that is proven and lies where it can be reached. */
  readonly restorableTo: Date | null
}

/** What is being made good, or will be in time for that, is not late yet: so many times the objective. */
const grace = 1.1
/** Of restore_within. */
const nearlyTooLong = 0.8

/** A pure function: the same facts at the same moment are always judged alike. */
export function judge(facts: Facts, objectives: Objectives, now: Date): Judgement {
  if (!facts.isKnown) return { state: 'unknown', reasons: [], restorableTo: null }
  const reasons = [
    ...judgeAge(facts, objectives, now),
    ...judgeProofs(facts, objectives, now),
    ...judgeDuration(facts, objectives),
    ...judgeRuns(facts),
    ...judgePlaces(facts),
  ].toSorted((one, other) => Number(other.state === 'failing') - Number(one.state === 'failing'))
  const restorable = newestBy(
    provenOf(facts).filter((backup) => isAtHand(backup, facts)),
    ({ snapshotAt }) => snapshotAt,
  )
  return { state: reasons[0]?.state ?? 'ok', reasons, restorableTo: restorable?.snapshotAt ?? null }
}

/** Whether there is something to restore it from, and nothing of that can be reached. */
export function isStranded(facts: Pick<Facts, 'backups' | 'away'>): boolean {
  if (facts.away.length === 0) return false
  const proven = provenOf(facts)
  const best = proven.length > 0 ? proven : facts.backups.filter(isSound)
  return best.length > 0 && !best.some((backup) => isAtHand(backup, facts))
}

function isSound({ isWhole, proof }: BackupFact): boolean {
  return isWhole && proof?.outcome !== 'refuted'
}

function provenOf({ backups }: Pick<Facts, 'backups'>): BackupFact[] {
  return backups.filter(({ isWhole, proof }) => isWhole && proof?.outcome === 'proven')
}

/** Whether a repository that holds it could be reached, or was not looked at yet. */
function isAtHand({ repositories }: BackupFact, { away }: Pick<Facts, 'away'>): boolean {
  return repositories.some((name) => !away.includes(name))
}

function judgeAge({ database, backups, isBackingUp, nextBackup }: Facts, { rpo }: Objectives, now: Date): Reason[] {
  if (rpo === null) return []
  const reason = reasonMaker('rpo', `pgrevive backup ${shellWord(database)}`)
  const sound = newestBy(backups.filter(isSound), ({ snapshotAt }) => snapshotAt)
  if (!sound) {
    if (isBackingUp) return [reason('at-risk', 'no backup of it can be relied on, and one is being made')]
    const text = backups.length === 0 ? 'it was never backed up' : 'each of its backups is partial, or refuted'
    return [reason('failing', text)]
  }
  const latest = sound.snapshotAt.getTime() + rpo * grace
  const isSoonBetter = isBackingUp || (nextBackup !== undefined && nextBackup.getTime() <= latest)
  const due = isSoonBetter ? latest : sound.snapshotAt.getTime() + rpo
  const allowed = formatDuration(rpo)
  if (now.getTime() > due) {
    const age = formatAge(sound.snapshotAt, now)
    return [reason('failing', `the newest backup was taken ${age}, and may be ${allowed} old`)]
  }
  if (isSoonBetter || !nextBackup) return []
  const thenOld = formatDuration(nextBackup.getTime() - sound.snapshotAt.getTime())
  return [
    reason(
      'at-risk',
      `when the next backup comes, the newest is ${thenOld} old, and it may be ${allowed} old`,
      'schedule backups more often, or demand less with "rpo"',
    ),
  ]
}

function judgeProofs(facts: Facts, { proveEvery }: Objectives, now: Date): Reason[] {
  const { database, backups, isProving, nextProof } = facts
  const reason = reasonMaker('prove-every', `pgrevive prove --database ${shellWord(database)}`)
  const lastProven = lastOf(backups, 'proven')
  const lastRefuted = lastOf(backups, 'refuted')
  const isRefuted =
    lastRefuted !== undefined &&
    (!lastProven || lastRefuted.at > lastProven.at) &&
    !backups.some(({ snapshotAt, proof }) => proof?.outcome === 'proven' && snapshotAt > lastRefuted.snapshotAt)
  const refuted = isRefuted
    ? [
        reason(
          'failing',
          `backup ${lastRefuted.id} was restored and differs from what was backed up; nothing newer is proven`,
          `pgrevive show ${lastRefuted.id}; then make a new backup, and prove that`,
        ),
      ]
    : []
  if (proveEvery === null || backups.length === 0) return refuted
  const since = lastProven?.at.getTime() ?? Math.min(...backups.map(({ snapshotAt }) => snapshotAt.getTime()))
  const latest = since + proveEvery * grace
  const isSoonBetter = isProving || (nextProof !== undefined && nextProof.getTime() <= latest)
  const isLate = now.getTime() > (isSoonBetter ? latest : since + proveEvery)
  if (!lastProven) {
    const text = 'nothing of it was ever proven: nobody knows whether its backups can be restored'
    return [...refuted, reason(isLate ? 'failing' : 'at-risk', text)]
  }
  if (!isLate) return refuted
  const age = formatAge(lastProven.at, now)
  return [...refuted, reason('failing', `it was last proven ${age}, and is to be every ${formatDuration(proveEvery)}`)]
}

function judgeDuration({ backups }: Facts, { restoreWithin }: Objectives): Reason[] {
  const last = lastOf(backups, 'proven')
  if (restoreWithin === null || !last || last.tookMs <= restoreWithin * nearlyTooLong) return []
  const reason = reasonMaker(
    'restore-within',
    'look at the log of the proof; more "jobs", or allow more with "restore_within"',
  )
  const text = `the last proof restored it in ${formatDuration(last.tookMs)}, and that may take ${formatDuration(restoreWithin)}`
  return [reason(last.tookMs > restoreWithin ? 'failing' : 'at-risk', text)]
}

function judgeRuns({ lastBackupRun, database }: Facts): Reason[] {
  if (!lastBackupRun?.failed) return []
  const because = lastBackupRun.error === null ? '' : `: ${lastBackupRun.error}`
  return [
    reasonMaker('runs', `pgrevive backup ${shellWord(database)}`)('at-risk', `the newest backup run failed${because}`),
  ]
}

function judgePlaces(facts: Facts): Reason[] {
  const { backups, repositories, isBackingUp, away } = facts
  const proven = provenOf(facts)
  const reason = reasonMaker('repositories', `look whether ${away.join(', ')} is mounted, and its store answers`)
  if (isStranded(facts)) {
    const what = proven.length > 0 ? 'a proven backup' : 'a backup'
    return [reason('failing', `no repository that holds ${what} of it can be reached`)]
  }
  const newestProven = newestBy(proven, ({ snapshotAt }) => snapshotAt)
  if (newestProven && !isAtHand(newestProven, facts)) {
    const text = `the newest proven backup is only in ${newestProven.repositories.join(', ')}, which can not be reached`
    return [reason('at-risk', text)]
  }
  const newest = newestBy(backups, ({ snapshotAt }) => snapshotAt)
  if (!newest || isBackingUp) return []
  const lacking = repositories.filter((name) => !newest.repositories.includes(name))
  if (lacking.length === 0) return []
  const remedy = lacking.map((name) => `pgrevive sync --to ${shellWord(name)}`).join('; ')
  return [reasonMaker('repositories', remedy)('at-risk', `the newest backup is not in ${lacking.join(', ')}`)]
}

/** The backup whose proof of this outcome is the newest. */
function lastOf(backups: readonly BackupFact[], outcome: 'proven' | 'refuted') {
  const found = backups.flatMap(({ id, snapshotAt, proof }) =>
    proof?.outcome === outcome ? [{ id, snapshotAt, ...proof }] : [],
  )
  return newestBy(found, ({ at }) => at)
}

function reasonMaker(objective: Reason['objective'], usualRemedy: string) {
  return (state: 'failing' | 'at-risk', text: string, remedy = usualRemedy): Reason => ({
    objective,
    state,
    text,
    remedy,
  })
}

function newestBy<Item>(items: readonly Item[], time: (item: Item) => Date): Item | undefined {
  return items.reduce<Item | undefined>((best, item) => (!best || time(item) > time(best) ? item : best), undefined)
}
