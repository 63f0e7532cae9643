import { ArrowRight, Pin, RotateCcw } from 'lucide-react'
import type { Backup } from '../../../../src/shapes/database.ts'
import { useSession } from '../../app/session.ts'
import { duration } from '../../text/format.ts'
import { ButtonLink } from '../../ui/Button.tsx'
import { ProofBadge } from '../../ui/Marks.tsx'
import { Ago, When } from '../../ui/Time.tsx'
import { BackupSizes } from './BackupSizes.tsx'
import { SetAsideChip } from './SetAsideChip.tsx'

interface BackupPanelProps {
  backup: Backup
  /** Of whose history it is a part. */
  database: string
  /** Leads on to the restore of it. */
  restores?: boolean
}

/** What one backup is, in a few numbers. */
export function BackupPanel({ backup, database, restores }: BackupPanelProps) {
  const { may } = useSession()
  return (
    <div className="backup-panel" aria-live="polite">
      <div className="row spread">
        <div className="row">
          <h3>
            <When at={backup.snapshotAt} />
          </h3>
          <ProofBadge outcome={backup.proof?.outcome ?? 'unproven'} />
          {backup.pin && (
            <span className="chip" title={backup.pin.reason}>
              <Pin aria-hidden="true" size={12} /> {backup.pin.reason}
            </span>
          )}
          <SetAsideChip backup={backup} database={database} />
          {backup.imported && <span className="chip">imported</span>}
          {backup.comment !== null && <span className="quiet">{backup.comment}</span>}
        </div>
        <div className="row">
          <ButtonLink slim to={`/backups/${backup.id}`} icon={<ArrowRight />}>
            Tables and proof
          </ButtonLink>
          {restores && may('restore') && (
            <ButtonLink
              slim
              kind="primary"
              icon={<RotateCcw />}
              to={`/restore?database=${encodeURIComponent(database)}&backup=${backup.id}`}
            >
              Restore this
            </ButtonLink>
          )}
        </div>
      </div>
      <dl className="facts">
        <BackupSizes backup={backup} />
        <div>
          <dt>Proof</dt>
          <dd>
            {backup.proof === null ? (
              'not yet'
            ) : (
              <>
                <Ago at={backup.proof.at} />
                <small>
                  {backup.proof.outcome} in {duration(backup.proof.tookMs)}
                </small>
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>Lies in</dt>
          <dd>
            {backup.places.map((place) => place.repository).join(', ')}
            {backup.leftOut !== null && <small>without {backup.leftOut}</small>}
          </dd>
        </div>
      </dl>
    </div>
  )
}
