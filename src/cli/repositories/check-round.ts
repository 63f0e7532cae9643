import type { CheckReport } from '../../repository/check/check-report.ts'
import { type SavedRound, listNotes, saveCheck, saveRound } from '../../repository/retention/backup-notes.ts'
import type { Repository } from '../../repository/repository.ts'
import { formatAge, formatBytes } from '../../core/text/format.ts'

interface NoteOptions {
  readonly signal?: AbortSignal | undefined
}

/** A round of checks that each read a part of the data: one that goes on, or a new one. */
export type CheckRound = Pick<SavedRound, 'startedAt' | 'upTo' | 'damaged'>

/** `now`: by the store's clock. */
export async function openRound(
  repository: Repository,
  level: number,
  now: Date,
  options: NoteOptions,
): Promise<CheckRound> {
  const { rounds } = await listNotes(repository, options)
  return rounds.find((round) => round.level === level) ?? { startedAt: now, upTo: undefined, damaged: [] }
}

/**
 * Notes what a check has seen. One that is a part of a round has seen the structure of everything; with the last part
 * everything has been checked at the level of the round, as it was when that began.
 */
export async function noteCheck(
  repository: Repository,
  { level, part, touched }: CheckReport,
  startedAt: Date,
  round: CheckRound | undefined,
  options: NoteOptions,
): Promise<void> {
  const damaged = touched.map(({ id }) => id)
  const seen = part && round ? { level: 1, startedAt, damaged } : { level, startedAt, damaged }
  await saveCheck(repository, seen, options)
  if (!part || !round) return
  await saveRound(repository, { ...part, level, startedAt: round.startedAt }, options)
  if (part.upTo === undefined) await saveCheck(repository, { level, startedAt: round.startedAt, damaged }, options)
}

/** `43 % of 1.2 TB read, in a round that began 3 days ago` */
export function describeRound(
  { startedAt, doneBytes, totalBytes }: Pick<SavedRound, 'startedAt' | 'doneBytes' | 'totalBytes'>,
  now: Date,
): string {
  const share = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes)
  return `${share} % of ${formatBytes(totalBytes)} read, in a round that began ${formatAge(startedAt, now)}`
}
