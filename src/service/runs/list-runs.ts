import type { RunCommand, RunState } from '../../shapes/run.ts'
import type { State } from '../state/state.ts'
import { type RunRow, runColumns, runRow } from './run-row.ts'

/** Which runs; all that is given must hold. */
export interface RunFilter {
  readonly states?: readonly RunState[]
  readonly database?: string
  /** Without it, what the service lists for itself is left out. */
  readonly command?: RunCommand
  readonly schedule?: string
  /** Only older ones than this id. */
  readonly before?: string
  /** 50 if nothing else is said. */
  readonly limit?: number
}

/** The newest first, by their ids; `next` is the `before` of the following page. */
export function listRuns(state: State, filter: RunFilter): { rows: RunRow[]; next: string | null } {
  const { states, database, command, schedule, before, limit = 50 } = filter
  // Few runs are active: their index leads to them. Of all others the newest are read first, and that index is of no use,
  // which "+" and the order of the join tell SQLite.
  const isActive = states?.every((state) => state === 'waiting' || state === 'running') ?? false
  const conditions = [
    command === undefined
      ? `run.command <> 'list'`
      : `${database === undefined ? 'run' : 'run_database'}.command = :command`,
    ...(states === undefined ? [] : [`${isActive ? '' : '+'}run.state in (select value from json_each(:states))`]),
    ...(database === undefined ? [] : ['run_database.database = :database']),
    ...(schedule === undefined ? [] : ['run.schedule = :schedule']),
    ...(before === undefined ? [] : [`${database === undefined ? 'run.id' : 'run_database.run'} < :before`]),
  ]
  const ofDatabase = isActive ? 'run cross join run_database' : 'run_database cross join run'
  const from = database === undefined ? 'run' : `${ofDatabase} on run.id = run_database.run`
  const order = database === undefined ? 'run.id' : 'run_database.run'
  const rows = state.all(
    runRow,
    `select ${runColumns} from ${from} where ${conditions.join(' and ')} order by ${order} desc limit :limit`,
    {
      limit: limit + 1,
      ...(command === undefined ? {} : { command }),
      ...(states === undefined ? {} : { states: JSON.stringify(states) }),
      ...(database === undefined ? {} : { database }),
      ...(schedule === undefined ? {} : { schedule }),
      ...(before === undefined ? {} : { before }),
    },
  )
  const items = rows.slice(0, limit)
  return { rows: items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
}
