import type { Proof } from '../../repository/backups/backup-record.ts'
import type { Selection } from '../../repository/backups/manifest.ts'
import type { Palette } from '../terminal/color.ts'
import { formatAge, formatDuration } from '../../core/text/format.ts'
import { truncateText } from '../../core/text/text-width.ts'

/** What a backup does not hold, in words; undefined when it holds everything. */
export function describeSelection(selection: Selection): string | undefined {
  const words: string[] = []
  if (selection.content === 'schema-only') words.push('all rows')
  if (selection.content === 'data-only') words.push('all definitions')
  if (selection.schemas.length > 0) words.push(`all but schemas ${selection.schemas.join(', ')}`)
  if (selection.tables.length > 0) words.push(`all but tables ${selection.tables.join(', ')}`)
  if (selection.excludeSchemas.length > 0) words.push(`schemas ${selection.excludeSchemas.join(', ')}`)
  if (selection.excludeTables.length > 0) words.push(`tables ${selection.excludeTables.join(', ')}`)
  if (selection.excludeTableData.length > 0) words.push(`rows of ${selection.excludeTableData.join(', ')}`)
  return words.length === 0 ? undefined : words.join('; ')
}

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
