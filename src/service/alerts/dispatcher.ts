import { decodeTime } from 'ulid'
import type { ConfiguredAlerts, ConfiguredChannel } from '../../config/config-alerts.ts'
import { messageOf } from '../../core/app-error.ts'
import type { Clock } from '../clock.ts'
import type { State } from '../state/state.ts'
import {
  type AlertRow,
  type DeliveryRow,
  alertColumns,
  alertRow,
  deliveryColumns,
  deliveryRow,
  toAlert,
} from './alert-rows.ts'
import { type Alerts, channelSubject, isWorse } from './alerts.ts'
import type { Notice } from './channels/notice.ts'
import { quietUntil } from './quiet-hours.ts'

const minuteMs = 60_000
const longestPauseMs = 60 * minuteMs
const givenUpAfterMs = 24 * 60 * minuteMs

export interface DispatcherOptions {
  readonly state: State
  readonly clock: Clock
  readonly alerts: Alerts
  readonly settings: () => ConfiguredAlerts
  readonly send: (notice: Notice, channel: ConfiguredChannel) => Promise<void>
  /** What a notice says of where it is from. */
  readonly origin: () => Pick<Notice, 'service' | 'link'>
  /** Is told what is no failure of a channel. */
  readonly onFault: (error: unknown) => void
}

/**
 * Sends what is to be told, to each channel one after the other, again after a while if it did not go, for a day. What was
 * being sent when the service was killed is sent again, under the same id.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  /** By channel. */
  readonly #atWork = new Map<string, Promise<void>>()

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  /** Asks for the reminders that are due, and begins to send what is due. */
  tick(): void {
    const { state, clock } = this.#options
    this.#remind()
    const now = clock.now()
    const due = state.all(
      deliveryRow,
      // what is to wait for longer than anything waits was written by a wrong clock
      `select ${deliveryColumns} from delivery where state = 'waiting' and (not_before <= :now or not_before > :never) order by id`,
      { now: now.toISOString(), never: new Date(now.getTime() + 2 * givenUpAfterMs).toISOString() },
    )
    for (const [channel, deliveries] of Map.groupBy(due, (one) => one.channel)) {
      if (this.#atWork.has(channel)) continue
      const work = this.#sendAll(channel, deliveries)
        .catch(this.#options.onFault)
        .finally(() => this.#atWork.delete(channel))
      this.#atWork.set(channel, work)
    }
  }

  /** Until nothing is being sent. */
  async settled(): Promise<void> {
    await Promise.all(this.#atWork.values())
  }

  #remind(): void {
    const { state, clock, alerts, settings } = this.#options
    const nowMs = clock.now().getTime()
    const { remindEveryMs } = settings()
    for (const alert of alerts.openOf()) {
      if (alert.acknowledged_by !== null) continue
      const last = Date.parse(alert.told_at ?? alert.opened_at)
      // a clock that was set back does not silence it for longer than a turn
      if (nowMs - last < remindEveryMs && last - nowMs < remindEveryMs) continue
      state.transaction(() => {
        alerts.remind(alert)
        // whatever becomes of it, the next one comes a turn later
        state.change('update alert set told_at = :now where id = :id', { id: alert.id, now: clock.now().toISOString() })
      })
    }
  }

  async #sendAll(channel: string, deliveries: readonly DeliveryRow[]): Promise<void> {
    for (const { id } of deliveries) {
      const delivery = this.#row(id)
      if (delivery?.state === 'waiting' && !(await this.#sendOne(channel, delivery))) return
    }
  }

  /** False where the channel takes nothing now. */
  async #sendOne(name: string, delivery: DeliveryRow): Promise<boolean> {
    const { state, clock, alerts, settings, send } = this.#options
    const { id } = delivery
    const channel = settings().channels.get(name)
    const alert = state.first(alertRow, `select ${alertColumns} from alert where id = :id`, { id: delivery.alert })
    if (!channel || !alert || isWorse(channel.least, delivery.severity) || this.#isOutdated(delivery, alert)) {
      state.change('delete from delivery where id = :id', { id })
      return true
    }
    const until = quietUntil(channel.quiet, alert.severity, clock.now())
    if (until) {
      state.change('update delivery set not_before = :until where id = :id', { id, until: until.toISOString() })
      return true
    }
    // from here on somebody may have heard of it, whatever happens
    state.change('update delivery set attempts = attempts + 1 where id = :id', { id })
    try {
      await send(this.#noticeOf(delivery, alert), channel)
    } catch (error) {
      this.#failed(delivery, messageOf(error))
      return false
    }
    const now = clock.now().toISOString()
    state.transaction(() => {
      state.change(`update delivery set state = 'sent', at = :now, error = null where id = :id`, { id, now })
      state.change('update alert set told_at = :now where id = :alert', { alert: alert.id, now })
    })
    alerts.changed(alert.id)
    alerts.close('service', channelSubject(name))
    return true
  }

  /** An alert that is over is not told any more, and its end only to those who know of its beginning. */
  #isOutdated({ notice, channel }: DeliveryRow, alert: AlertRow): boolean {
    if (notice !== 'closed')
      return alert.closed_at !== null || (notice === 'reminder' && alert.acknowledged_by !== null)
    const told = this.#options.alerts.deliveries(alert.id).filter((one) => one.channel === channel)
    return !told.some((one) => one.state === 'sent' && one.notice !== 'closed')
  }

  #failed({ id, attempts, alert, channel }: DeliveryRow, error: string): void {
    const { state, clock, alerts } = this.#options
    const nowMs = clock.now().getTime()
    const isOver = nowMs - decodeTime(id) >= givenUpAfterMs
    const pauseMs = Math.min(minuteMs * 2 ** attempts, longestPauseMs)
    state.change('update delivery set state = :state, error = :error, at = :now, not_before = :next where id = :id', {
      id,
      error,
      state: isOver ? 'failed' : 'waiting',
      now: new Date(nowMs).toISOString(),
      next: new Date(nowMs + pauseMs).toISOString(),
    })
    alerts.changed(alert)
    if (!isOver) return
    alerts.raise({
      kind: 'service',
      severity: 'critical',
      subject: channelSubject(channel),
      title: `nothing could be told to ${channel} for a day`,
      text: error,
      remedy: `correct alerts.channels.${channel} of pgrevive.yaml, then try it: pgrevive notify test ${channel}`,
    })
  }

  #noticeOf({ id, notice }: DeliveryRow, row: AlertRow): Notice {
    const { clock, origin } = this.#options
    return { id, kind: notice, at: clock.now(), alert: toAlert(row, []), ...origin() }
  }

  #row(id: string): DeliveryRow | undefined {
    return this.#options.state.first(deliveryRow, `select ${deliveryColumns} from delivery where id = :id`, { id })
  }
}
