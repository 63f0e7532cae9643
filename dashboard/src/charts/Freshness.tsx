import type { DatabaseSummary } from '../../../src/shapes/database.ts'
import { roughly } from '../text/format.ts'
import { objectiveTone } from '../ui/Marks.tsx'
import { useNow } from '../ui/now.ts'

/** How much of what may be lost would be lost now: a bar that fills as the newest proven state ages, and overflows at its objective. */
export function Freshness({ database }: { database: DatabaseSummary }) {
  const now = useNow()
  const { rpo } = database.objectives
  if (database.restorableTo === null || rpo === null) return null
  const age = Math.max(0, now - Date.parse(database.restorableTo))
  // The backup may be younger than the proof asks for: the mark is where the objective of proofs ends.
  const limit = Math.max(rpo, database.objectives.proveEvery ?? 0)
  const part = Math.min(1, age / limit)
  return (
    <svg
      className={`freshness tone-${objectiveTone[database.state]}`}
      viewBox="0 0 100 6"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${roughly(age)} old; backups may be ${roughly(rpo)} old`}
    >
      <rect className="ground" width="100" height="6" rx="0" />
      <rect className="age" width={Math.max(1.5, part * 100)} height="6" />
      {rpo < limit && <rect className="limit" x={(rpo / limit) * 100} width="0.8" height="6" />}
    </svg>
  )
}
