import { z } from 'zod'
import type { State } from '../../service/state/state.ts'
import type { Day } from '../../shapes/database.ts'

export const shownDays = 30

const text = z.string()
const count = z.number()
const backupRow = z.object({
  database: text,
  date: text,
  backups: count,
  proven: count,
  refuted: count,
  bytes: count,
  stored: count,
})
const troubleRow = z.object({ database: text, date: text, failed: count, missed: count })

/** The same backup in several repositories is one. */
const backupsSql = `
  select database, date, count(*) as backups, sum(proof is 'proven') as proven, sum(proof is 'refuted') as refuted,
    max(bytes) as bytes, sum(stored) as stored
  from (
    select name as database, backup.id, date(snapshot_at, 'localtime') as date, max(bytes) as bytes, max(stored) as stored,
      case when max(proof is 'refuted') then 'refuted' else max(proof) end as proof
    from (select value as name from json_each(:names)) join backup on backup.database = name and snapshot_at >= :from
    group by name, backup.id
  ) group by database, date`

/** A proof that refuted a backup is no failure of a run. */
const troubleSql = `
  select database, date(created_at, 'localtime') as date, sum(state = 'failed') as failed, sum(state = 'missed') as missed
  from run join run_database on run_database.run = run.id
  where state in ('failed', 'missed') and created_at >= :from and run.command in ('backup', 'prove') and exit_code is not 7
  group by database, date`

/** The newest 30 days of each database, oldest first, by the calendar of this machine. */
export function readDays(state: State, names: readonly string[], now: Date): Map<string, Day[]> {
  const dates = lastDates(now)
  const [first = ''] = dates
  const from = new Date(`${first}T00:00:00`).toISOString()
  const backups = byPlace(state.all(backupRow, backupsSql, { names: JSON.stringify(names), from }))
  const troubles = byPlace(state.all(troubleRow, troubleSql, { from }))
  return new Map(
    names.map((name) => [
      name,
      dates.map((date): Day => {
        const made = backups.get(`${date} ${name}`)
        const trouble = troubles.get(`${date} ${name}`)
        return {
          date,
          backups: made?.backups ?? 0,
          proven: made?.proven ?? 0,
          failed: trouble?.failed ?? 0,
          refuted: made?.refuted ?? 0,
          missed: trouble?.missed ?? 0,
          bytes: made?.bytes ?? null,
          stored: made?.stored ?? null,
        }
      }),
    ]),
  )
}

function byPlace<Row extends { database: string; date: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [`${row.date} ${row.database}`, row]))
}

function lastDates(now: Date): string[] {
  return Array.from({ length: shownDays }, (_, index) => {
    const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() - shownDays + 1 + index)
    const parts = [day.getFullYear(), day.getMonth() + 1, day.getDate()]
    return parts.map((part) => String(part).padStart(2, '0')).join('-')
  })
}
