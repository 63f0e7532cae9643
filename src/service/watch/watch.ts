import type { Config, ConfiguredDatabase } from '../../config/config.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import type { AppError } from '../../core/app-error.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { Alerts } from '../alerts/alerts.ts'
import { sendNotice } from '../alerts/channels/send-notice.ts'
import { originOf } from '../alerts/describe-channels.ts'
import { Dispatcher } from '../alerts/dispatcher.ts'
import { Pings } from '../alerts/pings.ts'
import type { Clock } from '../clock.ts'
import { type CatalogView, Judge } from '../objectives/facts.ts'
import { Reach } from '../reach.ts'
import type { Runs } from '../runs/runs.ts'
import { Scheduler } from '../schedules/scheduler.ts'
import type { State } from '../state/state.ts'
import { watchAnomalies } from './watch-anomalies.ts'
import { ObjectiveWatch } from './watch-objectives.ts'
import { watchRepositories } from './watch-repositories.ts'
import { RunWatch } from './watch-runs.ts'

export interface WatchOptions {
  readonly state: State
  readonly clock: Clock
  readonly runs: Runs
  readonly catalog: CatalogView
  readonly config: () => Config
  /** Why what pgrevive.yaml says now does not count. */
  readonly configProblem: () => AppError | undefined
  readonly environment: Environment
  readonly onFault: (event: string, error: unknown) => void
  /** A line for the log of the service. */
  readonly tell: (event: string, message: string) => void
}

const everyMs = 30_000

/** All that acts by itself as time passes: schedules, objectives, and alerts about what goes wrong. */
export class Watch {
  readonly alerts: Alerts
  readonly judge: Judge
  readonly scheduler: Scheduler
  readonly #options: WatchOptions
  readonly #runWatch: RunWatch
  readonly #objectives: ObjectiveWatch
  readonly #dispatcher: Dispatcher
  readonly #pings: Pings
  #looked: Date | undefined

  constructor(options: WatchOptions) {
    const { state, clock, runs, catalog, config, environment, onFault, tell } = options
    const settings = () => config().alerts
    const schedules = () => config().schedules
    const graceMs = () => settings().runGraceMs
    const surroundings = () => ({ reach: new Reach(config().service.reachPrivate), environment })
    this.#options = options
    this.alerts = new Alerts({ state, clock, settings })
    this.judge = new Judge({
      catalog,
      runs,
      schedules,
      objectivesOf: (name) => config().databases.get(name)?.objectives ?? config().objectives,
      leftOutBy: (name) => leftOutBy(config().databases.get(name)),
    })
    this.scheduler = new Scheduler({
      state,
      runs,
      alerts: this.alerts,
      schedules,
      graceMs,
      surroundings: () => ({
        databases: catalog.databases().flatMap(({ name, gone }) => (gone ? [] : [name])),
        repositories: config().repositories.map(({ name }) => name),
        backups: (name) => catalog.backups(name),
      }),
      tell: (message) => tell('schedule', message),
    })
    this.#runWatch = new RunWatch({
      runs,
      alerts: this.alerts,
      schedules: () => schedules().keys(),
      repositories: () => catalog.repositories(),
      graceMs,
    })
    this.#objectives = new ObjectiveWatch({
      catalog,
      alerts: this.alerts,
      judge: (name, now) => this.judge.judge(name, now),
    })
    this.#dispatcher = new Dispatcher({
      state,
      clock,
      alerts: this.alerts,
      settings,
      send: (notice, { target }) => sendNotice(notice, target, surroundings()),
      origin: () => originOf(config().service.url),
      onFault: (error) => onFault('alert', error),
    })
    this.#pings = new Pings({ runs, settings, surroundings, tell: (message) => tell('ping', message) })
  }

  tick(now: Date): void {
    const { catalog, config } = this.#options
    this.scheduler.tick(now)
    watchRepositories(catalog.repositories(), this.alerts, (name) => this.judge.strandedBy(name))
    this.#runWatch.tick(now) // which leaves to a repository what that is to blame for
    this.#lookAtConfig()
    this.#objectives.tick(now)
    if (!this.#looked || Math.abs(now.getTime() - this.#looked.getTime()) >= everyMs) {
      this.#looked = now
      watchAnomalies(catalog, this.alerts, config().alerts.anomalies)
    }
    this.#dispatcher.tick()
  }

  /** Until nothing is on its way. */
  async settled(): Promise<void> {
    await this.#dispatcher.settled()
    await this.#pings.settled()
  }

  #lookAtConfig(): void {
    const problem = this.#options.configProblem()
    if (!problem) return void this.alerts.close('service', 'pgrevive.yaml')
    this.alerts.raise({
      kind: 'service',
      severity: 'critical',
      subject: 'pgrevive.yaml',
      title: 'pgrevive.yaml is wrong, and what it said before counts',
      text: problem.message,
      remedy: problem.hint ?? null,
    })
  }
}

/** What backups of a database lack because pgrevive.yaml says so: they are whole without it. */
function leftOutBy(database: ConfiguredDatabase | undefined): string | null {
  if (!database) return null
  const { schemas, excludeSchemas, tables, excludeTables, excludeTableData } = database.selection
  const selection = {
    schemas: [...schemas],
    excludeSchemas: [...excludeSchemas],
    tables: [...tables],
    excludeTables: [...excludeTables],
    excludeTableData: [...excludeTableData],
  }
  return describeSelection({ ...selection, content: 'all' }) ?? null
}
