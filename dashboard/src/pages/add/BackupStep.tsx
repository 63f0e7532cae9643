import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import type { Run, RunRequest } from '../../../../src/shapes/run.ts'
import { queries } from '../../api/queries.ts'
import { requestRun } from '../../api/runs.ts'
import { duration, plural, size } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { ProofMark, RunMark } from '../../ui/Marks.tsx'
import { Problem } from '../../ui/Note.tsx'
import { RunProgress } from '../../ui/ProgressBar.tsx'
import { useAct } from '../../ui/use-act.ts'

/** The first backup, and its proof, both watched. */
export function BackupStep({ database, then }: { database: string; then: () => void }) {
  // The service proves it by itself, also when nobody looks on any more.
  const backup = useRequested({ command: 'backup', databases: [database], prove: true })
  const prove = useProof(database, backup)
  const summary = useQuery({ ...queries.database(database), enabled: prove.isDone })
  const begun = backup.run !== undefined || backup.busy
  return (
    <div className="stack">
      <h2>The first backup of {database}</h2>
      {!begun && (
        <>
          <p className="quiet">
            It is taken at one moment, while others go on working. Then it is restored into a server of its own and
            compared, row by row.
          </p>
          <div className="form-foot start">
            <Button kind="primary" onClick={() => void backup.go()}>
              Back it up now
            </Button>
          </div>
        </>
      )}
      {begun && <Watched title="Back up" state={backup} />}
      {begun && <Watched title="Restore somewhere safe, and compare" state={prove} />}
      {prove.isDone && (
        <p className="proven" role="status">
          <ProofMark outcome="proven" />
          <span>
            <span className="strong">Restored, and found equal.</span>{' '}
            {summary.data?.lastBackup && (
              <span className="quiet">
                {size(summary.data.lastBackup.bytes)}, {size(summary.data.lastBackup.stored)} stored.
              </span>
            )}
          </span>
        </p>
      )}
      {begun && (
        <div className="form-foot">
          <Button kind={prove.isDone ? 'primary' : 'plain'} disabled={!backup.isDone} onClick={then}>
            {prove.isDone ? 'Go on' : 'Go on, it will end by itself'}
          </Button>
        </div>
      )}
    </div>
  )
}

interface Requested {
  run: Run | undefined
  isDone: boolean
  busy: boolean
  error: Error | null
  go: () => Promise<void>
}

/** A run that is asked for by `go` and then followed. */
function useRequested(request: RunRequest): Requested {
  const [id, setId] = useState<string | null>(null)
  const asked = useAct(
    () => requestRun(request),
    (run) => setId(run.id),
  )
  const { data } = useQuery({
    ...queries.run(id ?? ''),
    enabled: id !== null,
    // Events tell; this is for one that was missed.
    refetchInterval: (query) => (query.state.data?.endedAt ? false : 2_000),
  })
  return {
    run: data,
    isDone: data?.state === 'done',
    busy: asked.busy || (id !== null && data === undefined),
    error: asked.error,
    go: asked.go,
  }
}

/** The proof that follows a backup; should it fail, another one can be asked for. */
function useProof(database: string, backup: Requested): Requested {
  const asked = useRequested({ command: 'prove', databases: [database] })
  const { data } = useQuery({
    ...queries.runs({ command: 'prove', database }),
    enabled: backup.isDone && asked.run === undefined,
    refetchInterval: 1_000,
  })
  const run = asked.run ?? data?.items.findLast((one) => backup.run !== undefined && one.id > backup.run.id)
  return { ...asked, run, isDone: run?.state === 'done', busy: asked.busy || (backup.isDone && run === undefined) }
}

function Watched({ title, state: { run, busy, error, go } }: { title: string; state: Requested }) {
  const failed = run !== undefined && run.endedAt !== null && run.state !== 'done'
  return (
    <div className="watched">
      <RunMark state={run?.state ?? 'waiting'} />
      <div className="stack tight">
        <p className="row spread">
          <span className="strong">{title}</span>
          {run?.startedAt && run.endedAt && (
            <span className="quiet">{duration(Date.parse(run.endedAt) - Date.parse(run.startedAt))}</span>
          )}
        </p>
        {run && run.endedAt === null && <RunProgress run={run} />}
        {busy && !run && <p className="quiet">Asking for it…</p>}
        {error && <Problem error={error} />}
        {run?.error && <Problem error={run.error} />}
        {run && run.warnings > 0 && <p className="small tone-risk">{plural(run.warnings, 'warning')}</p>}
        {run && (
          <p className="small">
            <Link to={`/runs/${run.id}`} target="_blank">
              Its log
            </Link>
          </p>
        )}
        {failed && (
          <div>
            <Button slim onClick={() => void go()}>
              Try again
            </Button>
          </div>
        )}
      </div>
    </div>
  )
}
