import { monotonicFactory } from 'ulid'
import { z } from 'zod'
import type { State } from '../state/state.ts'
import { type RunRow, runColumns, runRow } from './run-row.ts'
import { type WantedRun, exclusionsOf } from './wanted-run.ts'

const keptDays = 400
const keptListHours = 24
const hourMs = 3600 * 1000

export type Columns = Readonly<Record<string, string | number | null>>

/** The rows of the table `run`; only Runs changes them. */
export class RunTable {
  readonly #state: State
  readonly #ulid = monotonicFactory()

  constructor(state: State) {
    this.#state = state
  }

  row(id: string): RunRow | undefined {
    return this.#state.first(runRow, `select ${runColumns} from run where id = :id`, { id })
  }

  /** In the order in which they were asked for. */
  rows(state: 'waiting' | 'running'): RunRow[] {
    return this.#state.all(runRow, `select ${runColumns} from run where state = '${state}' order by id`)
  }

  /** The document that the command printed; null if it is not kept. */
  result(id: string): unknown {
    const row = z.object({ result: z.string().nullable() })
    const found = this.#state.first(row, 'select result from run where id = :id', { id })
    return JSON.parse(found?.result ?? 'null')
  }

  /** The run that is the one that is wanted. */
  find({ schedule, dueAt, command, cause, arguments: words }: WantedRun): RunRow | undefined {
    if (schedule === undefined && command !== 'list') return undefined
    const ofMoment =
      schedule !== undefined &&
      dueAt &&
      this.#state.first(
        runRow,
        `select ${runColumns} from run where schedule = :schedule and due_at = :dueAt and again_of is null`,
        { schedule, dueAt: dueAt.toISOString() },
      )
    if (ofMoment) return ofMoment
    if (cause === 'request' && command !== 'list') return undefined
    return this.#state.first(
      runRow,
      `select ${runColumns} from run where state = 'waiting' and command = :command and arguments = :words`,
      { command, words: JSON.stringify(words) },
    )
  }

  /** `servers` are those that it loads, as host:port. */
  insert(
    wanted: WantedRun,
    { state, servers, now }: { state: 'waiting' | 'missed'; servers: readonly string[]; now: Date },
  ): RunRow {
    const { command, databases, repositories, schedule = null, cause, by = null, dueAt, againOf = null } = wanted
    const id = this.#ulid(now.getTime())
    this.#state.change(
      `insert into run (id, command, arguments, databases, repositories, exclusions, servers, schedule, cause,
         requested_by, again_of, state, due_at, created_at, ended_at)
       values (:id, :command, :words, :databases, :repositories, :exclusions, :servers, :schedule, :cause,
         :by, :againOf, :state, :dueAt, :now, :endedAt)`,
      {
        id,
        command,
        words: JSON.stringify(wanted.arguments),
        databases: JSON.stringify(databases),
        repositories: JSON.stringify(repositories),
        exclusions: JSON.stringify(exclusionsOf(wanted)),
        servers: JSON.stringify(servers),
        schedule,
        cause,
        by,
        againOf,
        state,
        dueAt: dueAt?.toISOString() ?? null,
        now: now.toISOString(),
        endedAt: state === 'missed' ? now.toISOString() : null,
      },
    )
    this.nameDatabases({ id, command }, databases)
    const row = this.row(id)
    if (!row) throw new Error('a run is not there that was put there')
    return row
  }

  set(id: string, columns: Columns): void {
    const assignments = Object.keys(columns).map((column) => `${column} = :${column}`)
    this.#state.change(`update run set ${assignments.join(', ')} where id = :id`, { ...columns, id })
  }

  nameDatabases({ id, command }: Pick<RunRow, 'id' | 'command'>, databases: readonly string[]): void {
    for (const database of databases) {
      this.#state.change(
        'insert or ignore into run_database (run, database, command) values (:id, :database, :command)',
        { id, database, command },
      )
    }
  }

  /** Removes rows of more than a year, and what looked into the repositories yesterday. */
  tidy(now: Date): void {
    const before = (hours: number) => new Date(now.getTime() - hours * hourMs).toISOString()
    this.#state.change('delete from run where ended_at < :before', { before: before(keptDays * 24) })
    this.#state.change(`delete from run where command = 'list' and state = 'done' and ended_at < :before`, {
      before: before(keptListHours),
    })
  }
}
