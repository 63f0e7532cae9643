import { setTimeout as delay } from 'node:timers/promises'
import type { ConfiguredAlerts } from '../../config/config-alerts.ts'
import { messageOf } from '../../core/app-error.ts'
import type { Run } from '../../shapes/run.ts'
import type { Runs } from '../runs/runs.ts'
import { type PingKind, pingOf, sendPing } from './channels/ping.ts'
import type { SenderSurroundings } from './channels/send-notice.ts'

const tries = 3
const pauseMs = 5000

export interface PingsOptions {
  readonly runs: Pick<Runs, 'events'>
  readonly settings: () => ConfiguredAlerts
  readonly surroundings: () => SenderSurroundings
  /** What could not be called. */
  readonly tell: (message: string) => void
}

/** Calls the URLs of schedules when a run of theirs begins and ends; who waits for that hears when this service is gone, too. */
export class Pings {
  readonly #options: PingsOptions
  readonly #last = new Map<string, PingKind>()
  /** By schedule: an end never overtakes its start. */
  readonly #atWork = new Map<string, Promise<void>>()

  constructor(options: PingsOptions) {
    this.#options = options
    options.runs.events.on('run', (run) => this.#hear(run))
  }

  async settled(): Promise<void> {
    await Promise.all(this.#atWork.values())
  }

  #hear(run: Run): void {
    const { schedule, id } = run
    const kind = pingOf(run)
    if (schedule === null || kind === undefined || !this.#options.settings().pings.has(schedule)) return
    if (this.#last.get(id) === kind) return // its row has changed in some other way
    if (kind === 'start') this.#last.set(id, kind)
    else this.#last.delete(id)
    const before = this.#atWork.get(schedule) ?? Promise.resolve()
    const work = before.then(() => this.#call(schedule, kind))
    this.#atWork.set(schedule, work)
  }

  async #call(schedule: string, kind: PingKind): Promise<void> {
    const { settings, surroundings, tell } = this.#options
    for (let tried = 1; ; tried++) {
      const url = settings().pings.get(schedule)
      if (!url) return
      try {
        return await sendPing(url, kind, surroundings())
      } catch (error) {
        if (tried < tries) await delay(pauseMs)
        else return tell(`the ping of ${schedule} (${kind}) did not arrive: ${messageOf(error)}`)
      }
    }
  }
}
