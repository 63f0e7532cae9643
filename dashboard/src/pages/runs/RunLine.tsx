import { Link } from 'react-router'
import type { Run } from '../../../../src/shapes/run.ts'
import { duration } from '../../text/format.ts'
import { RunMark } from '../../ui/Marks.tsx'
import { RunProgress } from '../../ui/ProgressBar.tsx'
import { Ago } from '../../ui/Time.tsx'

const causes: Record<Run['cause'], string> = {
  schedule: 'scheduled',
  'caught-up': 'caught up',
  request: 'asked for',
  again: 'begun again',
}

/** "Backup of shop". */
export function runTitle(run: Run): string {
  const about = run.databases.length === 0 ? run.repositories : run.databases
  const names =
    about.length === 0
      ? ''
      : about.length > 3
        ? `${about.slice(0, 2).join(', ')} and ${about.length - 2} more`
        : about.join(', ')
  const command = run.command.charAt(0).toUpperCase() + run.command.slice(1)
  return names === '' ? command : `${command} · ${names}`
}

export const causeOf = (run: Run) =>
  run.schedule === null
    ? `${causes[run.cause]}${run.by === null ? '' : ` by ${run.by}`}`
    : `${run.schedule}${run.cause === 'schedule' ? '' : `, ${causes[run.cause]}`}`

export function RunLine({ run }: { run: Run }) {
  const began = run.startedAt ?? run.createdAt
  return (
    <li className="run-line">
      <RunMark state={run.state} />
      <div className="cut">
        <Link to={`/runs/${run.id}`} className="strong cut">
          {runTitle(run)}
        </Link>
        {run.error ? (
          <p className="small tone-bad cut">{run.error.message}</p>
        ) : (
          <p className="small quiet cut">
            {run.state} · {causeOf(run)}
            {run.warnings > 0 && ` · ${run.warnings} ${run.warnings === 1 ? 'warning' : 'warnings'}`}
          </p>
        )}
      </div>
      {run.state === 'running' ? (
        <RunProgress run={run} />
      ) : (
        <span className="small quiet nowrap number">
          {run.startedAt !== null && run.endedAt !== null && run.state !== 'interrupted' && (
            <>{duration(Date.parse(run.endedAt) - Date.parse(run.startedAt))} · </>
          )}
          <Ago at={began} />
        </span>
      )}
    </li>
  )
}
