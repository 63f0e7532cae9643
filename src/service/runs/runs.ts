import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../../core/app-error.ts'
import type { RunEvent } from '../../core/run-events.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import type { LogLine, Progress, Run, RunDetail } from '../../shapes/run.ts'
import type { Clock } from '../clock.ts'
import type { State } from '../state/state.ts'
import { type RunLimits, chooseNext } from './queue.ts'
import { type OpenRunLog, RunLogs } from './run-logs.ts'
import { type RunOutcome, leftBy, neverBegan, outcomeOf, resultText } from './run-outcome.ts'
import { RunProcess, outlive } from './run-process.ts'
import { type RunRow, toRun } from './run-row.ts'
import { type Columns, RunTable } from './run-table.ts'
import { type RunFilter, listRuns } from './list-runs.ts'
import { type WantedRun, checkArguments, inPlaceOf, isRepeatable, loadsServers } from './wanted-run.ts'

/** How long a run may take to undo what it has begun. */
const stopPatienceMs = 60_000
/** How long one whose service is gone may take. */
const outlivePatienceMs = 30_000
/** How often a run is begun again by itself. */
const mostAgain = 2
/** When something could not be noted. */
const retryMs = 5000

export interface RunsOptions {
  readonly state: State
  readonly clock: Clock
  /** The variables that runs get. */
  readonly environment: Environment
  /** What comes before the command: "--config FILE". */
  readonly globalWords: readonly string[]
  /** Where runs work. */
  readonly directory: string
  readonly limits: () => RunLimits
  /** The servers, as host:port, that these databases are on. */
  readonly serversOf: (databases: readonly string[]) => readonly string[]
  /** Is told what is no failure of a run. */
  readonly onFault: (error: unknown) => void
}

/** A run at work. */
interface Active {
  readonly process: RunProcess
  readonly log: OpenRunLog
  stoppedBy: 'cancel' | 'stop' | undefined
  warnings: number
}

/**
 * All runs: those that wait, those that work, each a process of its own, and those that ended. A row is there before
 * anything is done, so that none is lost, and says whose process it is before that does anything, so that none is doubled.
 */
export class Runs {
  readonly events = new EventEmitter<{
    /** Its row has changed. */
    run: [Run]
    progress: [run: string, Progress]
    log: [run: string, LogLine]
    /** It will not change any more. `document`: all of what it printed. */
    ended: [Run, document: unknown]
  }>()
  readonly #options: RunsOptions
  readonly #state: State
  readonly #table: RunTable
  readonly #logs: RunLogs
  readonly #active = new Map<string, Active>()
  readonly #progress = new Map<string, Progress>()
  readonly #work = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  #isOpen = false

  constructor(options: RunsOptions) {
    this.#options = options
    this.#state = options.state
    this.#table = new RunTable(options.state)
    this.#logs = new RunLogs(options.state.directory)
  }

  /**
   * Puts a run into the queue; it is durable when this returns. Of a schedule and a moment there is only one, and what a
   * schedule asks for is not put there twice, nor a look at all repositories. Throws `usage-invalid` for arguments that can not be.
   */
  request(wanted: WantedRun): Run {
    checkArguments(wanted)
    const row = this.#state.transaction(() => this.#table.find(wanted) ?? this.#insert(wanted, 'waiting'))
    this.#tell(row)
    this.proceed()
    return this.#run(row)
  }

  /** Notes that a run did not begin at its time, and will not. */
  miss(wanted: WantedRun): Run {
    const row = this.#state.transaction(() => this.#table.find(wanted) ?? this.#insert(wanted, 'missed'))
    this.#tell(row)
    return this.#run(row)
  }

  /** Takes a waiting run out of the queue, and stops one at work. Throws `run-unknown`; of one that has ended nothing changes. */
  cancel(id: string, by: string): void {
    const row = this.#table.row(id)
    if (!row) throw unknownRun(id)
    if (row.state === 'waiting') this.#change(id, { state: 'canceled', canceled_by: by, ended_at: this.#now() })
    else if (row.state === 'running') this.#table.set(id, { canceled_by: by })
    else return
    const active = this.#active.get(id)
    if (active) this.#stop(active, 'cancel')
    const now = this.#table.row(id)
    if (now?.state === 'canceled') this.events.emit('ended', this.#run(now), undefined)
    this.proceed()
  }

  /** Whether nothing is at work. */
  get isIdle(): boolean {
    return this.#active.size === 0
  }

  get(id: string): Run | undefined {
    const row = this.#table.row(id)
    return row && this.#run(row)
  }

  /** With the document that the command printed; long ones are cut. */
  detail(id: string): RunDetail | undefined {
    const run = this.get(id)
    if (!run) return undefined
    return { ...run, result: this.#table.result(id) }
  }

  /** The newest first. */
  list(filter: RunFilter = {}): { items: Run[]; next: string | null } {
    const { rows, next } = listRuns(this.#state, filter)
    return { items: rows.map((row) => this.#run(row)), next }
  }

  /** The lines that there are; those to come are events. */
  log(id: string): AsyncIterable<LogLine> {
    return this.#logs.read(id)
  }

  /**
   * Begins what waits. What another service left at work is marked as interrupted once its process is gone, and asked
   * for again.
   */
  start(): void {
    this.#isOpen = true
    for (const row of this.#table.rows('running')) this.#watch(this.#adopt(row))
    this.tidy()
    this.proceed()
  }

  /** Begins what can begin now; to be called when limits have changed. */
  proceed(): void {
    if (!this.#isOpen) return
    for (const row of chooseNext(this.#table.rows('waiting'), this.#table.rows('running'), this.#options.limits())) {
      this.#change(row.id, { state: 'running', started_at: this.#now() })
      this.#watch(this.#perform(row))
    }
  }

  /**
   * Begins nothing more. What is at work has `withinMs` to end; then it is stopped, marked as interrupted, and waits in the
   * queue for the next start.
   */
  async stop({ withinMs }: { readonly withinMs: number }): Promise<void> {
    this.#isOpen = false
    const all = Promise.all(this.#work)
    const timer = setTimeout(() => {
      for (const active of this.#active.values()) this.#stop(active, 'stop')
    }, withinMs)
    this.#stopped.abort()
    await all
    clearTimeout(timer)
  }

  /** Removes what nobody asks for any more: old logs, and rows of more than a year. */
  tidy(): void {
    this.#logs.tidy()
    this.#table.tidy(this.#options.clock.now())
  }

  async #perform(row: RunRow): Promise<void> {
    using log = this.#logs.open(row.id, this.#options.onFault)
    let active: Active
    try {
      active = this.#begin(row, log)
    } catch (error) {
      return await this.#end(row, outcomeOf(neverBegan(error), undefined), 0) // such as arguments that are too long, or no memory
    }
    const { process } = active
    try {
      const identity = await process.identity
      if (identity) this.#table.set(row.id, { pid: identity.pid, pid_started: identity.startTime })
      process.begin()
    } catch (error) {
      this.#options.onFault(error)
      process.kill() // nobody would know of it
    }
    const end = await process.ended
    this.#active.delete(row.id)
    this.#progress.delete(row.id)
    // who ends the service may end all of its group
    await this.#end(row, outcomeOf(end, active.stoppedBy ?? (this.#isOpen ? undefined : 'stop')), active.warnings)
  }

  #begin({ id, command, arguments: words }: RunRow, log: OpenRunLog): Active {
    const { environment, globalWords, directory } = this.#options
    const process = new RunProcess({
      id,
      words: [...globalWords, '--json', '--no-color', command, ...words],
      directory,
      environment,
      onEvent: (event) => this.#hear(id, active, event),
    })
    const active: Active = { process, log, stoppedBy: undefined, warnings: 0 }
    this.#active.set(id, active)
    return active
  }

  #hear(id: string, active: Active, event: RunEvent): void {
    if (event.kind === 'progress') {
      this.#progress.set(id, event.progress)
      this.events.emit('progress', id, event.progress)
      return
    }
    if (event.level === 'warning') active.warnings++
    const line = active.log.write({ at: this.#now(), level: event.level, text: event.text })
    if (line) this.events.emit('log', id, line)
  }

  #stop(active: Active, by: 'cancel' | 'stop'): void {
    if (active.stoppedBy !== undefined) return
    active.stoppedBy = by
    active.process.stop()
    const timer = setTimeout(() => active.process.kill(), stopPatienceMs)
    void active.process.ended.then(() => clearTimeout(timer))
  }

  /** Of another service, which is gone. */
  async #adopt(row: RunRow): Promise<void> {
    const { id, pid, pid_started: startTime } = row
    if (pid === null || startTime === null) {
      // its process was never told to begin
      this.#change(id, { state: 'waiting', started_at: null })
      this.proceed()
      return
    }
    try {
      await outlive({ id, pid, startTime }, { patienceMs: outlivePatienceMs, signal: this.#stopped.signal })
    } catch (error) {
      if (this.#stopped.signal.aborted) return // the next service sees to it
      throw error
    }
    await this.#end(row, leftBy(row), row.warnings)
  }

  /** However long it takes until that is durable: on a full disk, until there is room. */
  async #end(row: RunRow, outcome: RunOutcome, warnings: number): Promise<void> {
    for (;;) {
      try {
        const again = this.#state.transaction(() => this.#noteEnd(row, outcome, warnings))
        const ended = this.#table.row(row.id)
        if (ended) this.#tell(ended)
        if (ended) this.events.emit('ended', this.#run(ended), outcome.document)
        if (again) this.#tell(again)
        return this.proceed()
      } catch (error) {
        if (this.#table.row(row.id)?.state !== 'running') throw error
        this.#options.onFault(error)
      }
      await delay(retryMs, undefined, { signal: this.#stopped.signal })
    }
  }

  /** Returns the run that is asked for in its place. */
  #noteEnd(row: RunRow, outcome: RunOutcome, warnings: number): RunRow | undefined {
    const { state, exitCode, document, backups, databases } = outcome
    this.#table.set(row.id, {
      state,
      ended_at: this.#now(),
      exit_code: exitCode,
      error: outcome.error && JSON.stringify(outcome.error),
      backups: JSON.stringify(backups),
      databases: JSON.stringify([...new Set([...row.databases, ...databases])]),
      warnings,
      result: row.command === 'list' ? null : resultText(document),
    })
    this.#table.nameDatabases(row, databases)
    return state === 'interrupted' && this.#isBegunAgain(row) ? this.#insert(inPlaceOf(row), 'waiting') : undefined
  }

  #isBegunAgain({ command, canceled_by, again_of }: RunRow): boolean {
    if (!isRepeatable(command) || canceled_by !== null) return false
    let times = 0
    for (let before = again_of; before !== null; before = this.#table.row(before)?.again_of ?? null) times++
    return times < mostAgain
  }

  #insert(wanted: WantedRun, state: 'waiting' | 'missed'): RunRow {
    const { clock, serversOf } = this.#options
    const servers = loadsServers(wanted.command) ? serversOf(wanted.databases) : []
    return this.#table.insert(wanted, { state, servers, now: clock.now() })
  }

  /** And tells of it. */
  #change(id: string, columns: Columns): void {
    this.#table.set(id, columns)
    const row = this.#table.row(id)
    if (row) this.#tell(row)
  }

  #run(row: RunRow): Run {
    return toRun(row, this.#progress.get(row.id))
  }

  #tell(row: RunRow): void {
    this.events.emit('run', this.#run(row))
  }

  #now(): string {
    return this.#options.clock.now().toISOString()
  }

  /** What is to be over before the service is. */
  #watch(work: Promise<void>): void {
    this.#work.add(work)
    void work.catch(this.#options.onFault).finally(() => this.#work.delete(work))
  }
}

function unknownRun(id: string): AppError {
  return new AppError('run-unknown', `there is no run ${JSON.stringify(id)}`, {
    hint: 'runs are listed with their ids; those that ended more than 400 days ago are removed',
  })
}
