import type { ConfiguredAlerts } from '../../config/config-alerts.ts'
import { formatBytes, formatCount, formatDuration, formatQuantity } from '../../core/text/format.ts'
import type { Backup } from '../../shapes/database.ts'

/** How many backups before it one is compared with, and how many there must be. */
const compared = { most: 10, least: 3 } as const
/** Differences that are no news, however large a part they are. */
const smallest = { bytes: 1_000_000, rows: 1000, durationMs: 60_000 } as const

/**
 * What is unusual of the newest backup, in sentences: compared with the median of those before it that leave out the same.
 * `backups`: of one database, the newest first.
 */
export function anomaliesOf(
  backups: readonly Backup[],
  { sizePercent, rowsPercent, durationFactor }: ConfiguredAlerts['anomalies'],
): string[] {
  const [newest, ...older] = backups.filter(({ imported }) => !imported)
  const before = older.filter(({ leftOut }) => leftOut === newest?.leftOut).slice(0, compared.most)
  if (!newest || before.length < compared.least) return []
  const usual = (value: (backup: Backup) => number) => median(before.map(value))
  const isFar = (value: number, middle: number, percent: number, least: number) =>
    Math.abs(value - middle) > Math.max((middle * percent) / 100, least)
  const bytes = usual((one) => one.bytes)
  const rows = usual((one) => one.rows)
  const tables = usual((one) => one.tables)
  const tookMs = usual(durationOf)
  return [
    newest.tables < tables
      ? `it has ${formatQuantity(newest.tables, 'table')}, and had ${formatCount(tables)} before`
      : [],
    isFar(newest.rows, rows, rowsPercent, smallest.rows)
      ? `it has ${formatQuantity(newest.rows, 'row')}, and usually ${formatCount(rows)}`
      : [],
    isFar(newest.bytes, bytes, sizePercent, smallest.bytes)
      ? `it holds ${formatBytes(newest.bytes)}, and usually ${formatBytes(bytes)}`
      : [],
    durationOf(newest) > Math.max(tookMs * durationFactor, tookMs + smallest.durationMs)
      ? `it took ${formatDuration(durationOf(newest))}, and usually ${formatDuration(tookMs)}`
      : [],
  ].flat()
}

function durationOf({ startedAt, finishedAt }: Backup): number {
  return Date.parse(finishedAt) - Date.parse(startedAt)
}

/** Of an even number the lower one of the middle: a value that there was. */
function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) / 2)] ?? 0
}
