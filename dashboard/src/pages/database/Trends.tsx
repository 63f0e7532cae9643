import type { Backup } from '../../../../src/shapes/database.ts'
import { Line } from '../../charts/Line.tsx'
import { count, duration, size } from '../../text/format.ts'

/** How size, rows, what is stored, and durations went, backup by backup. */
export function Trends({ backups }: { backups: Backup[] }) {
  const sorted = backups.toSorted((a, b) => a.snapshotAt.localeCompare(b.snapshotAt))
  if (sorted.length < 2) return <p className="quiet">With the second backup, lines begin to show here.</p>
  return (
    <div className="columns">
      <Trend title="Restores to" values={sorted.map((backup) => backup.bytes)} form={size} />
      <Trend title="Rows" values={sorted.map((backup) => backup.rows)} form={count} />
      <Trend title="Stored for it" values={sorted.map((backup) => backup.stored)} form={size} />
      <Trend
        title="A backup takes"
        values={sorted.map((backup) => Date.parse(backup.finishedAt) - Date.parse(backup.startedAt))}
        form={duration}
      />
      <Trend title="A restore takes" values={sorted.map((backup) => backup.proof?.tookMs ?? null)} form={duration} />
    </div>
  )
}

function Trend({ title, values, form }: { title: string; values: (number | null)[]; form: (value: number) => string }) {
  const known = values.filter((value) => value !== null)
  const last = known.at(-1)
  const first = known[0]
  if (last === undefined || first === undefined) return null
  const most = Math.max(...known)
  return (
    <figure className="card pad stack tight">
      <figcaption className="row spread">
        <span className="quiet">{title}</span>
        <strong>{form(last)}</strong>
      </figcaption>
      <Line tall values={values} label={`${title}: from ${form(first)} to ${form(last)}, at most ${form(most)}`} />
      <div className="row spread small quiet">
        <span>first {form(first)}</span>
        <span>most {form(most)}</span>
      </div>
    </figure>
  )
}
