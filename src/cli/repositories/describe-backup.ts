import type { Proof } from '../../repository/backups/backup-record.ts'
import type { Palette } from '../terminal/color.ts'
import { formatAge, formatDuration } from '../../core/text/format.ts'
import { truncateText } from '../../core/text/text-width.ts'

const shownColumns = 60

/** `unproven`, `proven 3 hours ago in 12 s`, `refuted: table public.t has other contents`: one line, shortened. */
export function describeProof(proof: Proof | undefined, now: Date): string {
  if (!proof) return 'unproven'
  const finished = new Date(proof.finishedAt)
  if (proof.outcome === 'proven') {
    const tookMs = finished.getTime() - Date.parse(proof.startedAt)
    return `proven ${formatAge(finished, now)} in ${formatDuration(tookMs)}`
  }
  const [first] = proof.differences
  const more = proof.differences.length > 1 ? `, and ${proof.differences.length - 1} more` : ''
  const [line = ''] = (first ? `${first.object} ${first.problem}` : 'it differs').split('\n')
  return `refuted: ${truncateText(line, shownColumns)}${more}`
}

export function proofStyle(proof: Proof | undefined, colors: Palette): (text: string) => string {
  if (!proof) return colors.faint
  return proof.outcome === 'proven' ? colors.good : colors.bad
}
