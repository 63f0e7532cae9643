import type { Backup } from '../../../../src/shapes/database.ts'
import { Part } from '../../charts/Part.tsx'
import { count, duration, plural, size } from '../../text/format.ts'

/** What one backup brings back, what it costs, and how long it took: entries of a list of facts. */
export function BackupSizes({ backup }: { backup: Backup }) {
  return (
    <>
      <div>
        <dt>Restores to</dt>
        <dd>
          {size(backup.bytes)}
          <small>
            {count(backup.rows)} rows in {plural(backup.tables, 'table')}
          </small>
        </dd>
      </div>
      <div>
        <dt>Stored for it</dt>
        <dd>
          {size(backup.stored)}
          <Part of={backup.bytes} part={backup.stored} />
        </dd>
      </div>
      <div>
        <dt>Took</dt>
        <dd>{duration(Date.parse(backup.finishedAt) - Date.parse(backup.startedAt))}</dd>
      </div>
    </>
  )
}
