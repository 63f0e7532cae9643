import type { Backup } from '../../../../src/shapes/database.ts'

/** Of a backup that a restore made of what the database was: no part of its series, and under a name of its own. */
export function SetAsideChip({ backup, database }: { backup: Backup; database: string }) {
  if (backup.database === database) return null
  return (
    <span className="chip" title={backup.database}>
      saved by a restore
    </span>
  )
}
