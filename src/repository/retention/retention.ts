import { isWhole, seriesOf } from '../backups/manifest-selection.ts'
import type { Selection } from '../backups/manifest.ts'

/** How many backups of a series stay, and for how long. What no rule names goes, unless a floor holds it. */
export interface RetentionPolicy {
  readonly keepLast?: number | undefined
  /** All that are at most so much older than the newest one, or than now if that lies before: clocks may go wrong. */
  readonly keepWithinMs?: number | undefined
  /** Of so many hours, days, … that have a backup, the newest one each. By UTC; weeks begin on Monday. */
  readonly keepHourly?: number | undefined
  readonly keepDaily?: number | undefined
  readonly keepWeekly?: number | undefined
  readonly keepMonthly?: number | undefined
  readonly keepYearly?: number | undefined
  /** Never fewer than this many of a database; 1 unless named. No rule by itself. */
  readonly minimum?: number | undefined
}

/** A backup as a policy sees it. */
export interface RetainedBackup {
  readonly id: string
  /** Compared as it is. */
  readonly database: string
  readonly selection: Selection
  /** By the store's clock, never by the writer's; of an imported or copied one, what it says itself, if that lies before. */
  readonly takenAt: Date
  /** What foreign dumps say of their age pushes out no backup of our own. */
  readonly isImported?: boolean
  /** Nor does what a copy says of its own; it takes the places that are left. */
  readonly isCopied?: boolean
  /** Stored late, or copied without its time: nobody knows how old it is. */
  readonly isUnverified: boolean
  readonly proof: 'proven' | 'refuted' | undefined
  /** Why it is pinned. */
  readonly pin: string | undefined
}

export interface Decision<Backup extends RetainedBackup = RetainedBackup> {
  readonly backup: Backup
  readonly keep: boolean
  /** In words; the reason to forget is that there is none to keep. */
  readonly reasons: readonly string[]
}

type Calendar = readonly [rule: keyof RetentionPolicy, name: string, periodOf: (time: Date) => string]

const calendars: readonly Calendar[] = [
  ['keepHourly', 'hourly', (time) => `${time.toISOString().slice(0, 13)}h`],
  ['keepDaily', 'daily', (time) => time.toISOString().slice(0, 10)],
  ['keepWeekly', 'weekly', isoWeek],
  ['keepMonthly', 'monthly', (time) => time.toISOString().slice(0, 7)],
  ['keepYearly', 'yearly', (time) => time.toISOString().slice(0, 4)],
]

/** Whether the policy has a rule at all: one without would forget everything but the floors. */
export function hasRules(policy: RetentionPolicy): boolean {
  return Object.entries(policy).some(([rule, value]) => rule !== 'minimum' && Number(value ?? 0) > 0)
}

/**
 * Decides on every backup, the newest first. Only backups of one series compete for places: those of one database that
 * leave out the same; imported ones only with each other, and so do refuted ones, so that they never push out what may be
 * good, and copies give way to what was backed up right here. One that is unverified takes no place and is kept. No
 * policy, or one without rules, keeps all.
 */
export function decideRetention<Backup extends RetainedBackup>(
  backups: readonly Backup[],
  { policyOf, now }: { readonly policyOf: (database: string) => RetentionPolicy | undefined; readonly now: Date },
): Decision<Backup>[] {
  const reasons = new Map<string, string[]>(backups.map(({ id }) => [id, []]))
  const keep = (backup: RetainedBackup | undefined, reason: string) => backup && reasons.get(backup.id)?.push(reason)
  const ordered = newestFirst(backups)
  for (const [database, ofDatabase] of Map.groupBy(ordered, (backup) => backup.database)) {
    const policy = policyOf(database)
    if (!policy || !hasRules(policy)) {
      for (const backup of ofDatabase) keep(backup, 'no policy')
      continue
    }
    applyFloors(ofDatabase, policy, keep)
    const dated = ofDatabase.filter(({ isUnverified }) => !isUnverified)
    const competing = ({ selection, proof, isImported }: Backup) =>
      `${proof === 'refuted'} ${isImported === true} ${seriesOf(selection)}`
    for (const series of Map.groupBy(dated, competing).values()) {
      const ours = series.filter(({ isCopied }) => isCopied !== true)
      applyRules(ours, policy, now, keep)
      if (ours.length < series.length) {
        applyRules(series, policy, now, (backup, reason) => backup?.isCopied && keep(backup, reason))
      }
    }
  }
  return ordered.map((backup) => {
    const why = reasons.get(backup.id) ?? []
    return { backup, keep: why.length > 0, reasons: why.length > 0 ? why : ['no rule keeps it'] }
  })
}

export function newestFirst<Backup extends RetainedBackup>(backups: readonly Backup[]): Backup[] {
  return backups.toSorted((a, b) => +b.takenAt - +a.takenAt || (a.id < b.id ? 1 : -1))
}

type Keep = (backup: RetainedBackup | undefined, reason: string) => void

/** What no policy overrides. `backups`: of one database, the newest first. */
function applyFloors(backups: readonly RetainedBackup[], policy: RetentionPolicy, keep: Keep): void {
  for (const backup of backups) {
    if (backup.pin !== undefined) keep(backup, `pinned: ${backup.pin}`)
    if (backup.isUnverified) keep(backup, 'stored late or copied without its time: its age is not known')
  }
  for (const floor of floors(backups)) keep(floor.backup, floor.name)
  for (const backup of backups.slice(0, policy.minimum ?? 1)) keep(backup, 'minimum')
}

/** The backups of one database, newest first, without which there may be nothing to restore. */
export function floors<Backup extends RetainedBackup>(
  backups: readonly Backup[],
): { readonly backup: Backup; readonly name: string }[] {
  const whole = backups.filter(({ selection }) => isWhole(selection))
  const newestWhole = whole.find(({ proof, isUnverified }) => proof !== 'refuted' && !isUnverified) ?? whole[0]
  const newestProven = backups.find(({ proof }) => proof === 'proven')
  return [
    ...(newestWhole ? [{ backup: newestWhole, name: 'newest whole one' }] : []),
    ...(newestProven ? [{ backup: newestProven, name: 'newest proven one' }] : []),
  ]
}

/** `series`: newest first. */
function applyRules(series: readonly RetainedBackup[], policy: RetentionPolicy, now: Date, keep: Keep): void {
  const { keepLast = 0, keepWithinMs = 0 } = policy
  for (const [index, backup] of series.slice(0, keepLast).entries()) keep(backup, `last ${index + 1} of ${keepLast}`)
  const oldest = Math.min(Number(series[0]?.takenAt), now.getTime()) - keepWithinMs
  for (const backup of series) if (keepWithinMs > 0 && +backup.takenAt >= oldest) keep(backup, 'young enough')
  for (const [rule, name, periodOf] of calendars) {
    const most = policy[rule] ?? 0
    const periods = [...Map.groupBy(series, ({ takenAt }) => periodOf(takenAt))]
    for (const [index, [period, [newest]]] of periods.slice(0, most).entries()) {
      keep(newest, `${name} ${index + 1} of ${most} (${period})`)
    }
  }
}

/** `2026-W47`, of ISO 8601: the week belongs to the year of its Thursday. */
function isoWeek(time: Date): string {
  const dayMs = 24 * 3600 * 1000
  const weekday = (time.getUTCDay() + 6) % 7
  const thursday = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate() - weekday + 3))
  const year = thursday.getUTCFullYear()
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / dayMs / 7) + 1
  return `${year}-W${String(week).padStart(2, '0')}`
}
