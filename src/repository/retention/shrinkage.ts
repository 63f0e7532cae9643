import { seriesOf } from '../backups/manifest-selection.ts'
import type { Selection } from '../backups/manifest.ts'

/** What of a backup must not shrink unnoticed. */
export interface BackupSize {
  readonly id: string
  readonly database: string
  readonly selection: Selection
  readonly rows: number
  readonly bytes: number
  /** `schema.table`, those without rows included. */
  readonly tables: readonly string[]
}

/** Somebody has said that what the backup lost is right. */
export interface Acknowledgement {
  readonly backup: string
  readonly database: string
  readonly selection: Selection
}

/** A backup that holds much less than the one before it. */
export interface Shrinkage {
  readonly backup: string
  readonly before: string
  readonly database: string
  /** In words: `rows: 1,000 became 3`, `table public.orders`. */
  readonly losses: readonly string[]
}

/** Half of the rows or bytes gone is too much. */
export const usualShrinkPercent = 50

/**
 * Compares each backup with the one before it in its series: of the same database and selection. `sizes` are in the order
 * of the backups' ids. What was acknowledged stays so when the backup itself is forgotten: for all that came before it
 * with all that came after.
 */
export function findShrinkage(
  sizes: readonly BackupSize[],
  options: { readonly acknowledged: readonly Acknowledgement[]; readonly shrinkPercent: number },
): Shrinkage[] {
  const nameOf = ({ database, selection }: BackupSize | Acknowledgement) => `${database}\n${seriesOf(selection)}`
  const found: Shrinkage[] = []
  for (const [name, series] of Map.groupBy(sizes, nameOf)) {
    const acknowledged = options.acknowledged.filter((statement) => nameOf(statement) === name)
    for (const [index, after] of series.slice(1).entries()) {
      const before = series[index]
      if (!before || acknowledged.some(({ backup }) => before.id < backup && backup <= after.id)) continue
      const losses = lossesBetween(before, after, options.shrinkPercent)
      if (losses.length === 0) continue
      found.push({ backup: after.id, before: before.id, database: after.database, losses })
    }
  }
  return found
}

function lossesBetween(before: BackupSize, after: BackupSize, shrinkPercent: number): string[] {
  const shrank = (['rows', 'bytes'] as const).filter(
    (what) => after[what] < before[what] * (1 - shrinkPercent / 100) && before[what] > 0,
  )
  const there = new Set(after.tables)
  const rotating = new Set(after.tables.map(withoutDigits))
  return [
    ...shrank.map((what) => `${what}: ${before[what]} became ${after[what]}`),
    ...before.tables
      .filter((table) => !there.has(table) && !(/\d/.test(table) && rotating.has(withoutDigits(table))))
      .map((table) => `table ${table}`),
  ]
}

/** Partitions by time come and go: `events_2026_01` is no loss as long as there are others of its kind. */
function withoutDigits(table: string): string {
  return table.replaceAll(/\d+/g, '#')
}
