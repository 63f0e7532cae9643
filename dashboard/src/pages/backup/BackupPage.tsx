import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Pin, PinOff, RotateCcw, ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import type { BackupDetail } from '../../../../src/shapes/database.ts'
import { at, put, remove } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { startRun } from '../../api/runs.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { exact, plural, size } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button, ButtonLink } from '../../ui/Button.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { TextField } from '../../ui/Field.tsx'
import { ProofBadge } from '../../ui/Marks.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { When } from '../../ui/Time.tsx'
import { act } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'
import { BackupSizes } from '../database/BackupSizes.tsx'
import { LostPage } from '../LostPage.tsx'
import { ProofReport } from './ProofReport.tsx'
import { TableList } from './TableList.tsx'

export function BackupPage() {
  const { id = '' } = useParams()
  const query = useQuery(queries.backup(id))
  return (
    <Asked query={query} what="the backup" lost={<LostPage />}>
      {(backup) => <Known backup={backup} />}
    </Asked>
  )
}

function Known({ backup }: { backup: BackupDetail }) {
  return (
    <Page
      title={exact(backup.snapshotAt)}
      about={
        <>
          <ProofBadge outcome={backup.proof?.outcome ?? 'unproven'} /> {backup.comment ?? ''}
          {backup.imported && ' Imported from a dump.'}
          {backup.leftOut !== null && ` Without ${backup.leftOut}.`}
        </>
      }
      crumbs={[
        { to: '/', text: 'Overview' },
        { to: `/databases/${encodeURIComponent(backup.database)}?backup=${backup.id}`, text: backup.database },
      ]}
      actions={<Acts backup={backup} />}
    >
      <div className="stack">
        {backup.pin && (
          <Note tone="busy">
            <p className="strong">Pinned: {backup.pin.reason}</p>
            <p className="hint">
              No retention forgets it. Since <When at={backup.pin.at} />.
            </p>
          </Note>
        )}
        {backup.warnings.map((warning) => (
          <Note key={warning} tone="risk">
            {warning}
          </Note>
        ))}
        <section className="card pad stack">
          <dl className="facts">
            <BackupSizes backup={backup} />
            <div>
              <dt>PostgreSQL</dt>
              <dd>{backup.serverVersion}</dd>
            </div>
            <div>
              <dt>Also holds</dt>
              <dd>
                {plural(backup.sequences, 'sequence')}
                <small>
                  {plural(backup.largeObjects, 'large object')}, {plural(backup.extensions.length, 'extension')}
                  {backup.extensions.length > 0 &&
                    `: ${backup.extensions.map((one) => `${one.name} ${one.version}`).join(', ')}`}
                </small>
              </dd>
            </div>
            <div>
              <dt>Lies in</dt>
              <dd>
                {backup.places.map((place) => (
                  <span key={place.repository} className="block">
                    {place.repository}
                    <small>
                      {size(place.stored)} since <When at={place.committedAt} />
                    </small>
                  </span>
                ))}
              </dd>
            </div>
          </dl>
          <Copyable text={backup.id} what="the id of the backup" />
        </section>
        <ProofReport backup={backup} />
        <TableList backup={backup} />
        {backup.before !== null && (
          <p>
            <Link to={`/backups/${backup.before}`}>The backup before this one</Link>
          </p>
        )}
      </div>
    </Page>
  )
}

function Acts({ backup }: { backup: BackupDetail }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const client = useQueryClient()
  const [pinning, setPinning] = useState(false)
  const again = () => client.invalidateQueries({ queryKey: queries.backup(backup.id).queryKey })
  return (
    <>
      {may('operate') &&
        (backup.pin ? (
          <Button
            icon={<PinOff />}
            onClick={() => void act(() => remove(at`backups/${backup.id}/pin`), 'Not pinned any more.').then(again)}
          >
            Take the pin off
          </Button>
        ) : (
          <Button icon={<Pin />} onClick={() => setPinning(true)}>
            Pin…
          </Button>
        ))}
      {may('operate') && (
        <Button
          icon={<ShieldCheck />}
          onClick={() => void startRun({ command: 'prove', databases: [backup.database], backup: backup.id }, navigate)}
        >
          Prove{backup.proof && ' again'}
        </Button>
      )}
      {may('restore') && (
        <ButtonLink
          kind="primary"
          icon={<RotateCcw />}
          to={`/restore?database=${encodeURIComponent(backup.database)}&backup=${backup.id}`}
        >
          Restore…
        </ButtonLink>
      )}
      <Dialog
        open={pinning}
        onClose={() => setPinning(false)}
        title="Pin this backup"
        about="No retention forgets it while the pin is there."
      >
        <PinForm
          id={backup.id}
          done={() => {
            setPinning(false)
            void again()
          }}
        />
      </Dialog>
    </>
  )
}

function PinForm({ id, done }: { id: string; done: () => void }) {
  const [reason, setReason] = useState('')
  const pinned = useAct(() => put(at`backups/${id}/pin`, { reason }), done)
  return (
    <form className="form" onSubmit={pinned.submit} onChange={pinned.forget}>
      <TextField
        label="Why"
        required
        maxLength={200}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
        placeholder="before the migration"
      />
      {pinned.error && <Problem error={pinned.error} />}
      <div className="form-foot">
        <Button kind="primary" type="submit" disabled={pinned.busy}>
          Pin it
        </Button>
      </div>
    </form>
  )
}
