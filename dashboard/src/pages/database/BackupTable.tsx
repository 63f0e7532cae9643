import { Pin } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import type { Backup } from '../../../../src/shapes/database.ts'
import { change, count, duration, size } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { ProofMark } from '../../ui/Marks.tsx'
import { When } from '../../ui/Time.tsx'
import { Part } from '../../charts/Part.tsx'
import { SetAsideChip } from './SetAsideChip.tsx'

const first = 20

/** The newest first; the older ones on demand. With those that restores have saved of the database. */
export function BackupTable({ backups, database }: { backups: Backup[]; database: string }) {
  const [all, setAll] = useState(false)
  const sorted = backups.toSorted((a, b) => b.snapshotAt.localeCompare(a.snapshotAt))
  const shown = all ? sorted : sorted.slice(0, first)
  const largest = Math.max(1, ...sorted.map((backup) => backup.bytes))
  if (sorted.length === 0) return <p className="quiet">None yet.</p>
  return (
    <>
      <div className="card table-scroll" tabIndex={0} role="region" aria-label="Backups">
        <table className="table">
          <thead>
            <tr>
              <th>Taken</th>
              <th>Proof</th>
              <th className="number">Rows</th>
              <th className="number">Change</th>
              <th>Restores to</th>
              <th className="number">Stored</th>
              <th className="number">Took</th>
              <th>Lies in</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((backup, index) => {
              const before = sorted.slice(index + 1).find((one) => one.database === backup.database)
              return (
                <tr key={backup.id}>
                  <td className="nowrap">
                    <Link to={`/backups/${backup.id}`} className="strong">
                      <When at={backup.snapshotAt} />
                    </Link>{' '}
                    {backup.pin && (
                      <Pin className="inline-icon" size={13} aria-label={`pinned: ${backup.pin.reason}`} />
                    )}
                    <SetAsideChip backup={backup} database={database} />
                    {backup.imported && <span className="chip">imported</span>}
                  </td>
                  <td>
                    <span className="with-mark">
                      <ProofMark outcome={backup.proof?.outcome ?? 'unproven'} />
                      {backup.proof ? (
                        `${backup.proof.outcome} in ${duration(backup.proof.tookMs)}`
                      ) : (
                        <span className="quiet">unproven</span>
                      )}
                    </span>
                  </td>
                  <td className="number">{count(backup.rows)}</td>
                  <td className="number quiet">{before && change(backup.rows - before.rows)}</td>
                  <td className="nowrap bar-cell">
                    {size(backup.bytes)}
                    <Part of={largest} part={backup.bytes} />
                  </td>
                  <td className="number">{size(backup.stored)}</td>
                  <td className="number">{duration(Date.parse(backup.finishedAt) - Date.parse(backup.startedAt))}</td>
                  <td>{backup.places.map((place) => place.repository).join(', ')}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
      {sorted.length > shown.length && (
        <div className="more">
          <Button onClick={() => setAll(true)}>The {count(sorted.length - shown.length)} older ones</Button>
        </div>
      )}
    </>
  )
}
