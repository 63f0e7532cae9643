import { EventEmitter } from 'node:events'
import { dirname, join } from 'node:path'
import type { Config } from '../config/config.ts'
import { type AppError, messageOf } from '../core/app-error.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { ServiceEvent } from '../shapes/service.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Alerts } from './alerts/alerts.ts'
import { Catalog } from './catalog/catalog.ts'
import { Runs } from './runs/runs.ts'
import { serverKey } from './server-key.ts'
import { SpareMemory } from './spare-memory.ts'
import { State } from './state/state.ts'
import { Watch } from './watch/watch.ts'
import { WatchedConfig } from './watched-config.ts'

const tickMs = 1000
const tidyMs = 3600_000

export interface ServiceOptions {
  /** Absolute; it need not be there. */
  readonly configFile: string
  readonly environment: Environment
  readonly homeDirectory: string
  /** In place of what pgrevive.yaml says. */
  readonly stateDirectory?: string | undefined
  readonly clock?: Clock
  /** For the log of the service. */
  readonly tell: (line: ServiceLine) => void
}

/** One line of the service's own log. */
export interface ServiceLine {
  readonly level: 'info' | 'warning' | 'error'
  /** What it is about: `service`, `run`, `configuration`, … */
  readonly event: string
  readonly message: string
  readonly [fact: string]: unknown
}

/** A part of the service that has something to do as time passes. */
export interface Part {
  /** At most once a second. A rejection is told, and ends nothing. */
  tick(now: Date): void | Promise<void>
}

/** `pgrevive serve` without its door: configuration, state, runs, and whatever acts by itself. */
export class Service implements AsyncDisposable {
  readonly events = new EventEmitter<{
    /** What a browser that looks on is told. */
    event: [ServiceEvent]
    /** pgrevive.yaml has changed; the problem with it, if there is one, in which case the old one counts. */
    configuration: [problem: AppError | undefined]
  }>()
  readonly clock: Clock
  readonly state: State
  readonly runs: Runs
  readonly catalog: Catalog
  /** Schedules, objectives, alerts. */
  readonly watch: Watch
  readonly options: ServiceOptions
  readonly #config: WatchedConfig
  readonly #parts: Part[] = []
  #ticking: Disposable | undefined
  #ticked = Promise.resolve()
  #tickedAt: Date | undefined

  private constructor(options: ServiceOptions, config: WatchedConfig, state: State) {
    this.options = options
    this.#config = config
    this.clock = options.clock ?? systemClock
    this.state = state
    this.runs = new Runs({
      state,
      clock: this.clock,
      environment: runEnvironment(options.environment),
      globalWords: ['--config', config.file],
      directory: dirname(config.file),
      limits: () => this.config.service,
      serversOf: (names) => [...new Set(names.flatMap((name) => this.#serverOf(name)))],
      onFault: (error) => this.fault('run', error),
    })
    this.catalog = this.add(
      new Catalog({
        state,
        clock: this.clock,
        runs: this.runs,
        config: () => this.config,
        onFault: (error) => this.fault('catalog', error),
      }),
    )
    this.watch = this.add(
      new Watch({
        state,
        clock: this.clock,
        runs: this.runs,
        catalog: this.catalog,
        config: () => this.config,
        configProblem: () => this.configProblem,
        environment: options.environment,
        onFault: (event, error) => this.fault(event, error),
        tell: (event, message) => options.tell({ level: 'warning', event, message }),
      }),
    )
    this.add(new SpareMemory(this.runs))
    this.#pass()
  }

  /**
   * Opens the state and takes over what another service has left; it does nothing by itself before `start`. Rejects with
   * `config-invalid` and whatever `State.open` throws.
   */
  static async open(options: ServiceOptions): Promise<Service> {
    const config = await WatchedConfig.open(options.configFile, options)
    const directory = options.stateDirectory ?? config.current.service.state ?? usualState(options)
    return new Service(options, config, State.open(directory))
  }

  /** As it is now; to be read anew each time. */
  get config(): Config {
    return this.#config.current
  }

  get alerts(): Alerts {
    return this.watch.alerts
  }

  get configFile(): string {
    return this.#config.file
  }

  /** Why what pgrevive.yaml says now does not count. */
  get configProblem(): AppError | undefined {
    return this.#config.problem
  }

  /** From now on it gets its turn each second. */
  add<Added extends Part>(part: Added): Added {
    this.#parts.push(part)
    return part
  }

  start(): void {
    this.runs.start()
    this.#ticking = this.clock.every(tickMs, () => (this.#ticked = this.tick()))
  }

  /** When it last had its turn. */
  get tickedAt(): Date | undefined {
    return this.#tickedAt
  }

  /** What happens each second; a test may call it itself. */
  async tick(): Promise<void> {
    this.#tickedAt = this.clock.now()
    await this.#try('configuration', () => this.lookAtConfig())
    const now = this.clock.now()
    for (const part of this.#parts) await this.#try('service', () => part.tick(now))
    if (now.getTime() - this.#tidiedMs < tidyMs) return
    this.#tidiedMs = now.getTime()
    await this.#try('service', () => this.runs.tidy())
  }
  #tidiedMs = 0

  /** Takes a change of pgrevive.yaml at once; whoever has just changed it need not wait for the next second. */
  async lookAtConfig(): Promise<void> {
    if (!(await this.#config.look())) return
    const { problem } = this.#config
    if (problem)
      this.options.tell({ level: 'error', event: 'configuration', message: problem.message, code: problem.code })
    else this.options.tell({ level: 'info', event: 'configuration', message: 'pgrevive.yaml was taken as it is now' })
    this.events.emit('configuration', problem)
    this.events.emit('event', { kind: 'changed', what: 'settings' })
    this.runs.proceed()
    if (!problem) this.catalog.reconsider()
  }

  /** Tells what went wrong in the service itself. */
  fault(event: string, error: unknown): void {
    const stack = error instanceof Error ? error.stack : undefined
    this.options.tell({ level: 'error', event, message: messageOf(error), stack })
  }

  /** Lets what is at work end, within the time that pgrevive.yaml gives it. */
  async close(): Promise<void> {
    this.#ticking?.[Symbol.dispose]()
    await this.#ticked
    await this.runs.stop({ withinMs: this.config.service.stopWithinMs })
    await this.watch.settled()
    this.state[Symbol.dispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #pass(): void {
    const { runs, catalog, events } = this
    catalog.events.on('changed', (what) => events.emit('event', { kind: 'changed', what }))
    runs.events.on('run', (run) => {
      events.emit('event', { kind: 'run', run })
      if (run.command === 'list' || run.state === 'waiting') return
      const { id, commandLine, state, error } = run
      const level = state === 'failed' ? 'error' : state === 'interrupted' || state === 'missed' ? 'warning' : 'info'
      const why = error ? `: ${error.message}` : ''
      const told = { run: id, state, ...(error ? { code: error.code } : {}) }
      this.options.tell({ level, event: 'run', message: `${commandLine}: ${state}${why}`, ...told })
    })
    this.alerts.events.on('alert', (alert) => events.emit('event', { kind: 'alert', alert }))
    runs.events.on('progress', (run, progress) => events.emit('event', { kind: 'progress', run, progress }))
    runs.events.on('log', (run, line) => events.emit('event', { kind: 'log', run, line }))
  }

  #serverOf(name: string): string[] {
    const database = this.config.databases.get(name)
    return database ? [serverKey(database, this.options.environment)] : []
  }

  async #try(event: string, work: () => void | Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.fault(event, error)
    }
  }
}

/** What would stand before pgrevive.yaml, which is what counts here. */
const overruling = new Set(['PGREVIVE_REPO', 'PGREVIVE_CONFIG'])

/** The variables that a run gets. */
export function runEnvironment(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !overruling.has(name)))
}

function usualState({ environment, homeDirectory }: ServiceOptions): string {
  return join(environment['XDG_STATE_HOME'] || join(homeDirectory, '.local', 'state'), 'pgrevive', 'service')
}
