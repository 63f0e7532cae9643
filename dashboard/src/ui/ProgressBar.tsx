import { useState } from 'react'
import type { Progress, Run } from '../../../src/shapes/run.ts'
import { count, duration, roughly, size } from '../text/format.ts'
import { useSecond } from './now.ts'

const amount = (value: number, unit: Progress['unit']) => (unit === 'bytes' ? size(value) : count(value))

/** How far a run is: the phase, its numbers, and how long it has taken; never a bar without a number. */
export function RunProgress({ run }: { run: Run }) {
  const now = useSecond()
  const { progress } = run
  const part = partOf(progress)
  return (
    <div className="run-progress">
      <div className="row spread small">
        <span className="strong">
          {progress ? progress.phase : run.state === 'waiting' ? 'waiting for its turn' : 'starting'}
        </span>
        <span className="quiet">
          {progress?.done !== undefined && amount(progress.done, progress.unit)}
          {progress?.total !== undefined && ` of ${amount(progress.total, progress.unit)}`}
          {progress && progress.unit !== 'bytes' && progress.done !== undefined && ` ${progress.unit}`}
          {part !== undefined && ` · ${Math.floor(part * 100)} %`}
        </span>
      </div>
      <Bar part={part} label={progress?.phase ?? 'progress'} />
      <div className="row spread small quiet">
        <span className="cut">{progress?.detail}</span>
        <span className="nowrap">
          {run.startedAt !== null && duration(Math.max(0, now - Date.parse(run.startedAt)))}
          {progress && <Remaining key={progress.phase} progress={progress} />}
        </span>
      </div>
    </div>
  )
}

const partOf = (progress: Progress | null) =>
  progress?.total ? Math.min(1, (progress.done ?? 0) / progress.total) : undefined

/** An estimate from what this phase has done since it is watched; nothing while there is too little to go by. */
function Remaining({ progress }: { progress: Progress }) {
  const now = useSecond()
  const { done = 0, total } = progress
  const [begin] = useState(() => ({ at: Date.now(), done }))
  const part = partOf(progress)
  const moved = done - begin.done
  if (total === undefined || part === undefined || part >= 1 || moved <= 0 || now - begin.at < 3_000) return null
  return ` · about ${roughly(((total - done) / moved) * (now - begin.at))} left in this phase`
}

export function Bar({ part, label }: { part: number | undefined; label: string }) {
  return (
    <div
      className={part === undefined ? 'progress open' : 'progress'}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={part === undefined ? undefined : Math.floor(part * 100)}
    >
      <span style={{ '--part': part ?? 0 }} />
    </div>
  )
}
