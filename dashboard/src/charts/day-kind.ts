import type { Day } from '../../../src/shapes/database.ts'
import { plural } from '../text/format.ts'

export type DayKind = 'proven' | 'backed-up' | 'refuted' | 'failed' | 'missed' | 'none'

/** The worst that is true of a day; a proof outweighs a try that failed before it. */
export function kindOf(day: Day): DayKind {
  if (day.refuted > 0) return 'refuted'
  if (day.proven > 0) return 'proven'
  if (day.backups > 0) return 'backed-up'
  if (day.failed > 0) return 'failed'
  if (day.missed > 0) return 'missed'
  return 'none'
}

export function dayText(day: Day): string {
  const parts = [
    day.backups > 0 && plural(day.backups, 'backup'),
    day.proven > 0 && `${day.proven} proven`,
    day.refuted > 0 && `${day.refuted} refuted`,
    day.failed > 0 && `${day.failed} failed`,
    day.missed > 0 && `${day.missed} missed`,
  ].filter(Boolean)
  return `${day.date}: ${parts.length === 0 ? 'nothing' : parts.join(', ')}`
}
