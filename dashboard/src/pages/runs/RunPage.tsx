import { useQuery, useQueryClient } from '@tanstack/react-query'
import { RotateCcw, Square } from 'lucide-react'
import { Link, useNavigate, useParams } from 'react-router'
import type { RunDetail } from '../../../../src/shapes/run.ts'
import { at, post } from '../../api/client.ts'
import { useConnectionLostAt } from '../../api/connection.ts'
import { queries } from '../../api/queries.ts'
import { startRun } from '../../api/runs.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { duration } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button, ButtonLink } from '../../ui/Button.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { RunBadge } from '../../ui/Marks.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { RunProgress } from '../../ui/ProgressBar.tsx'
import { When } from '../../ui/Time.tsx'
import { act } from '../../ui/toasts.tsx'
import { AfterRestore } from '../restore/AfterRestore.tsx'
import { LostPage } from '../LostPage.tsx'
import { causeOf, runTitle } from './RunLine.tsx'
import { RunLog } from './RunLog.tsx'

export function RunPage() {
  const { id = '' } = useParams()
  const query = useQuery(queries.run(id))
  return (
    <Asked query={query} what="the run" lost={<LostPage />}>
      {(run) => <Known run={run} />}
    </Asked>
  )
}

function Known({ run }: { run: RunDetail }) {
  const ended = run.endedAt !== null
  const took =
    run.startedAt === null || run.endedAt === null ? null : Date.parse(run.endedAt) - Date.parse(run.startedAt)
  return (
    <Page title={runTitle(run)} crumbs={[{ to: '/runs', text: 'Runs' }]} actions={<Acts run={run} />}>
      <div className="stack">
        <section className="card pad stack">
          <div className="row">
            <RunBadge state={run.state} />
            <span className="quiet">{causeOf(run)}</span>
          </div>
          {!ended && <RunProgress run={run} />}
          {run.error && run.state !== 'interrupted' && <Problem error={run.error} action={<Mend run={run} />} />}
          {run.state === 'interrupted' && <Interrupted run={run} />}
          <dl className="facts">
            {run.dueAt !== null && (
              <div>
                <dt>Was due</dt>
                <dd>
                  <When at={run.dueAt} />
                </dd>
              </div>
            )}
            <div>
              <dt>Began</dt>
              <dd>{run.startedAt === null ? 'not yet' : <When at={run.startedAt} />}</dd>
            </div>
            {took !== null && run.state !== 'interrupted' && (
              <div>
                <dt>Took</dt>
                <dd>{duration(took)}</dd>
              </div>
            )}
            {run.warnings > 0 && (
              <div>
                <dt>Warnings</dt>
                <dd className="tone-risk">{run.warnings}</dd>
              </div>
            )}
            {run.backups.length > 0 && (
              <div>
                <dt>{run.backups.length === 1 ? 'Backup' : 'Backups'}</dt>
                <dd className="mono small">
                  {run.backups.slice(0, 6).map((backup) => (
                    <Link key={backup} to={`/backups/${backup}`} className="block">
                      {backup}
                    </Link>
                  ))}
                  {run.backups.length > 6 && `and ${run.backups.length - 6} more`}
                </dd>
              </div>
            )}
          </dl>
          <Copyable text={run.commandLine} what="the command" />
        </section>
        {run.command === 'restore' && <AfterRestore run={run} />}
        <section className="stack tight">
          <h2>Log</h2>
          <RunLog id={run.id} />
        </section>
        {ended && run.result !== null && (
          <details className="card pad">
            <summary>What it said with --json</summary>
            <pre className="log">{JSON.stringify(run.result, null, 2)}</pre>
          </details>
        )}
      </div>
    </Page>
  )
}

/** How long it took nobody knows: it ended at some time before it was found. */
function Interrupted({ run }: { run: RunDetail }) {
  const filter = { command: run.command, ...(run.databases[0] !== undefined && { database: run.databases[0] }) }
  const { data } = useQuery(queries.runs(filter))
  const again = data?.items.findLast(
    (one) => one.cause === 'again' && one.id > run.id && one.commandLine === run.commandLine,
  )
  return (
    <Note tone="risk">
      <p className="strong">The service or the machine ended under it.</p>
      <p>
        Nothing half-done counts as a backup.{' '}
        {again ? (
          <>
            It was begun again: <Link to={`/runs/${again.id}`}>{again.state}</Link>.
          </>
        ) : (
          isRepeated(run) && 'It is begun again by itself, twice at most.'
        )}
      </p>
    </Note>
  )
}

/** What replaces a database is not begun again without anybody having looked. */
const isRepeated = ({ command }: RunDetail) => command !== 'restore' && command !== 'refresh'

/** Where a password is entered here, whatever the hint for a terminal says. */
function Mend({ run }: { run: RunDetail }) {
  const { may } = useSession()
  const [database] = run.databases
  if (run.error?.code !== 'authentication-failed' || database === undefined || !may('administer')) return null
  return <ButtonLink to={`/databases/${encodeURIComponent(database)}?tab=settings`}>Enter its password</ButtonLink>
}

function Acts({ run }: { run: RunDetail }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const client = useQueryClient()
  const isLost = useConnectionLostAt() !== null
  if (!may('operate')) return null
  if (run.endedAt === null) {
    const cancel = () =>
      act(() => post(at`runs/${run.id}/cancel`), 'It was asked to end. What it had begun is cleared away.').then(() =>
        client.invalidateQueries({ queryKey: ['run', run.id] }),
      )
    return (
      <Button icon={<Square />} disabled={isLost} onClick={() => void cancel()}>
        Cancel
      </Button>
    )
  }
  const { command, databases, state } = run
  if (state === 'done' || (command !== 'backup' && command !== 'prove')) return null
  return (
    <Button icon={<RotateCcw />} disabled={isLost} onClick={() => void startRun({ command, databases }, navigate)}>
      Try again
    </Button>
  )
}
