import { EventEmitter } from 'node:events'
import { monotonicFactory } from 'ulid'
import type { ConfiguredAlerts } from '../../config/config-alerts.ts'
import { AppError } from '../../core/app-error.ts'
import { type Alert, type AlertKind, type Severity, severities } from '../../shapes/alert.ts'
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

/** Something that somebody should know of. Of a kind and a subject there is one at a time. */
export interface Trouble {
  readonly kind: AlertKind
  readonly severity: Severity
  /** The database, repository, schedule or channel that it is about. */
  readonly subject: string
  readonly title: string
  readonly text: string
  readonly remedy: string | null
  readonly run?: string
}

export interface AlertsOptions {
  readonly state: State
  readonly clock: Clock
  /** As pgrevive.yaml says now. */
  readonly settings: () => ConfiguredAlerts
}

/** What comes and goes is told this often at most. */
const holdMs = 3600 * 1000

/**
 * Alerts, each from its beginning to its end. What is to be told of one is written with it in one transaction; sending is
 * the work of Dispatcher.
 */
export class Alerts {
  readonly events = new EventEmitter<{ alert: [Alert] }>()
  readonly #state: State
  readonly #clock: Clock
  readonly #settings: () => ConfiguredAlerts
  readonly #ulid = monotonicFactory()

  constructor({ state, clock, settings }: AlertsOptions) {
    this.#state = state
    this.#clock = clock
    this.#settings = settings
  }

  /** Opens an alert, or brings the open one of this kind and subject up to date, which is told again only if it is worse. */
  raise(trouble: Trouble): Alert {
    const { kind, subject, severity } = trouble
    const open = this.open(kind, subject)
    if (open && isSame(open, trouble)) return this.#alert(open)
    const id = open?.id ?? this.#ulid(this.#clock.now().getTime())
    this.#state.transaction(() => {
      if (open) this.#update(open, trouble)
      else this.#insert(id, trouble)
      if (!open || isWorse(severity, open.severity)) this.#enqueueOpened(id, trouble)
    })
    return this.#tell(id)
  }

  /** Ends the open one, if there is one. Who was told that it began is told; who was not yet hears nothing of it. */
  close(kind: AlertKind, subject: string): Alert | undefined {
    const open = this.open(kind, subject)
    if (!open) return undefined
    const { id, severity } = open
    this.#state.transaction(() => {
      this.#state.change('update alert set closed_at = :now where id = :id', { id, now: this.#now() })
      const told = this.deliveries(id).filter(({ state, attempts }) => state === 'sent' || attempts > 0)
      this.#state.change(`delete from delivery where alert = :id and state = 'waiting' and attempts = 0`, { id })
      for (const channel of new Set(told.map((one) => one.channel)))
        this.#enqueue(id, { channel, notice: 'closed', severity })
    })
    return this.#tell(id)
  }

  /** Ends reminders, until it is worse. Throws `usage-invalid` for one that there is not. */
  acknowledge(id: string, by: string): Alert {
    const row = this.#row(id)
    if (!row)
      throw new AppError('usage-invalid', `there is no alert ${JSON.stringify(id)}`, { hint: 'list the alerts' })
    this.#state.transaction(() => {
      this.#state.change('update alert set acknowledged_by = :by where id = :id', { id, by })
      this.#state.change(`delete from delivery where alert = :id and state = 'waiting' and notice = 'reminder'`, { id })
    })
    return this.#tell(id)
  }

  /** Asks for a notice to each channel that takes this severity and waits for nothing else of it. */
  remind(alert: AlertRow): void {
    const waiting = this.deliveries(alert.id).filter(({ state }) => state === 'waiting')
    for (const { name: channel } of this.#channelsFor(alert)) {
      if (waiting.some((one) => one.channel === channel)) continue
      this.#enqueue(alert.id, { channel, notice: 'reminder', severity: alert.severity })
    }
  }

  /** The newest first. */
  list({ open = false, before, limit = 100 }: { open?: boolean; before?: string; limit?: number } = {}): Alert[] {
    const conditions = [open ? 'closed_at is null' : 'true', before === undefined ? 'true' : 'id < :before']
    const rows = this.#state.all(
      alertRow,
      `select ${alertColumns} from alert where ${conditions.join(' and ')} order by id desc limit :limit`,
      { limit, ...(before === undefined ? {} : { before }) },
    )
    return rows.map((row) => this.#alert(row))
  }

  get(id: string): Alert | undefined {
    const row = this.#row(id)
    return row && this.#alert(row)
  }

  open(kind: AlertKind, subject: string): AlertRow | undefined {
    return this.#state.first(
      alertRow,
      `select ${alertColumns} from alert where kind = :kind and subject = :subject and closed_at is null`,
      { kind, subject },
    )
  }

  /** All that are open, of a kind. */
  openOf(kind?: AlertKind): AlertRow[] {
    const open = this.#state.all(alertRow, `select ${alertColumns} from alert where closed_at is null order by id`)
    return kind === undefined ? open : open.filter((one) => one.kind === kind)
  }

  /** Of one alert, in the order in which they were asked for. */
  deliveries(alert: string): DeliveryRow[] {
    return this.#state.all(deliveryRow, `select ${deliveryColumns} from delivery where alert = :alert order by id`, {
      alert,
    })
  }

  /** Tells those who watch that one has changed. */
  changed(id: string): void {
    if (this.#row(id)) this.#tell(id)
  }

  #insert(id: string, { kind, severity, subject, title, text, remedy, run }: Trouble): void {
    this.#state.change(
      `insert into alert (id, kind, severity, subject, title, text, remedy, run, opened_at)
       values (:id, :kind, :severity, :subject, :title, :text, :remedy, :run, :now)`,
      { id, kind, severity, subject, title, text, remedy, run: run ?? null, now: this.#now() },
    )
  }

  #update({ id, severity: before }: AlertRow, { severity, title, text, remedy, run }: Trouble): void {
    this.#state.change(
      `update alert set severity = :severity, title = :title, text = :text, remedy = :remedy,
         run = coalesce(:run, run) where id = :id`,
      { id, severity, title, text, remedy, run: run ?? null },
    )
    if (isWorse(severity, before)) this.#state.change('update alert set acknowledged_by = null where id = :id', { id })
  }

  #enqueueOpened(id: string, { kind, subject, severity }: Trouble): void {
    const waiting = this.deliveries(id).filter(({ state, notice }) => state === 'waiting' && notice === 'opened')
    for (const { name: channel } of this.#channelsFor({ kind, subject, severity })) {
      if (waiting.some((one) => one.channel === channel)) continue
      const notBefore = this.#heldUntil({ kind, subject, severity }, channel)
      this.#enqueue(id, { channel, notice: 'opened', severity, ...(notBefore && { notBefore }) })
    }
  }

  /** What has been told of as bad a trouble a short while ago is not told again at once: it comes and goes. */
  #heldUntil(trouble: Pick<Trouble, 'kind' | 'subject' | 'severity'>, channel: string): Date | undefined {
    const { kind, subject, severity } = trouble
    const sent = this.#state.all(
      deliveryRow,
      `select ${deliveryColumns} from delivery where channel = :channel and state = 'sent' and notice = 'opened' and at > :since
         and alert in (select id from alert where kind = :kind and subject = :subject)`,
      { channel, kind, subject, since: new Date(this.#clock.now().getTime() - holdMs).toISOString() },
    )
    const last = sent.findLast((one) => !isWorse(severity, one.severity))
    return last && new Date(Date.parse(last.at) + holdMs)
  }

  /** Those that take as severe ones; a channel is not told about itself. */
  #channelsFor({ kind, subject, severity }: Pick<AlertRow, 'kind' | 'subject' | 'severity'>) {
    return [...this.#settings().channels.values()].filter(
      ({ name, least }) => !isWorse(least, severity) && !(kind === 'service' && subject === channelSubject(name)),
    )
  }

  #enqueue(
    alert: string,
    delivery: Pick<DeliveryRow, 'channel' | 'notice' | 'severity'> & { readonly notBefore?: Date },
  ): void {
    const now = this.#clock.now()
    const { channel, notice, severity, notBefore = now } = delivery
    this.#state.change(
      `insert into delivery (id, alert, channel, notice, severity, state, not_before, at)
       values (:id, :alert, :channel, :notice, :severity, 'waiting', :notBefore, :now)`,
      {
        id: this.#ulid(now.getTime()),
        alert,
        channel,
        notice,
        severity,
        notBefore: notBefore.toISOString(),
        now: now.toISOString(),
      },
    )
  }

  #row(id: string): AlertRow | undefined {
    return this.#state.first(alertRow, `select ${alertColumns} from alert where id = :id`, { id })
  }

  #alert(row: AlertRow): Alert {
    return toAlert(row, this.deliveries(row.id))
  }

  #tell(id: string): Alert {
    const row = this.#row(id)
    if (!row) throw new Error('an alert is not there that was put there')
    const alert = this.#alert(row)
    this.events.emit('alert', alert)
    return alert
  }

  #now(): string {
    return this.#clock.now().toISOString()
  }
}

/** The subject of alerts about a channel that takes nothing. */
export function channelSubject(channel: string): string {
  return `channel ${channel}`
}

export function isWorse(one: Severity, other: Severity): boolean {
  return severities.indexOf(one) > severities.indexOf(other)
}

function isSame(open: AlertRow, { severity, title, text, remedy, run }: Trouble): boolean {
  const isSameRun = run === undefined || run === open.run
  return isSameRun && severity === open.severity && title === open.title && text === open.text && remedy === open.remedy
}
