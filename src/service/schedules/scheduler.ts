import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ConfiguredSchedule } from '../../config/config-schedules.ts'
import { newestDue, nextTimes } from '../../config/when/times.ts'
import { formatDuration, formatQuantity, formatTime } from '../../core/text/format.ts'
import type { Alerts, Trouble } from '../alerts/alerts.ts'
import type { Run } from '../../shapes/run.ts'
import type { Runs } from '../runs/runs.ts'
import type { State } from '../state/state.ts'
import { type Surroundings, databasesOf, wantedBySchedule } from './wanted-by-schedule.ts'

export interface SchedulerOptions {
  readonly state: State
  readonly runs: Pick<Runs, 'request'>
  readonly alerts: Pick<Alerts, 'raise'>
  /** As pgrevive.yaml says now. */
  readonly schedules: () => ReadonlyMap<string, ConfiguredSchedule>
  /** How late a run may begin before it counts as missed. */
  readonly graceMs: () => number
  readonly surroundings: () => Surroundings
  /** A line for the log of the service. */
  readonly tell: (message: string) => void
}

/** Of what begins so late, the cause is that it was caught up. */
const promptMs = 90_000
/**
 * A clock that is set back by less makes everything wait until it was that time before, so that nothing runs twice; by more
 * it was wrong before, and all begins anew: a schedule must not be silent for years.
 */
const longestWaitMs = 25 * 3600 * 1000

const mark = z.object({ schedule: z.string(), fingerprint: z.string(), seen_until: z.iso.datetime() })

interface Ahead {
  readonly fingerprint: string
  readonly seenUntil: string | undefined
  /** The first time after `seenUntil`. */
  readonly next: Date | undefined
}

/**
 * Asks for the runs that schedules want, each time once: what is due since it was last looked is one run, of the newest of
 * these times, after however long a sleep.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #known = new WeakMap<ConfiguredSchedule, Ahead>()

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  tick(now: Date): void {
    const { state, schedules } = this.#options
    const enabled = [...schedules().values()].filter((schedule) => schedule.enabled)
    const marks = new Map(
      state.all(mark, 'select schedule, fingerprint, seen_until from schedule_mark').map((one) => [one.schedule, one]),
    )
    for (const schedule of enabled) this.#look(schedule, marks.get(schedule.name), now)
    for (const name of marks.keys()) {
      if (enabled.some((schedule) => schedule.name === name)) continue
      state.change('delete from schedule_mark where schedule = :name', { name })
    }
  }

  /** Asks for the run that a schedule means now, without waiting for its time; undefined where there is nothing to work on. */
  runNow(schedule: ConfiguredSchedule, by: string, now: Date): Run | undefined {
    const { runs, surroundings } = this.#options
    const wanted = wantedBySchedule(schedule, surroundings(), now)
    return wanted && runs.request({ ...wanted, schedule: schedule.name, cause: 'request', by })
  }

  #look(schedule: ConfiguredSchedule, known: z.output<typeof mark> | undefined, now: Date): void {
    const { fingerprint, next } = this.#ahead(schedule, known?.seen_until)
    const seenUntil = new Date(known?.seen_until ?? now)
    const isAhead = seenUntil.getTime() - now.getTime()
    if (known?.fingerprint !== fingerprint || isAhead > longestWaitMs) {
      this.#note(schedule, fingerprint, now)
      return
    }
    if (!next || next > now) return
    const due = newestDue(schedule.when, seenUntil, now)
    if (!due) return
    // asked for before it is noted: what is killed in between asks again, and gets the same run
    this.#request(schedule, due, now)
    this.#note(schedule, fingerprint, now)
  }

  /** Kept from one second to the next, since times take long to find. */
  #ahead(schedule: ConfiguredSchedule, seenUntil: string | undefined): Ahead {
    const known = this.#known.get(schedule)
    if (known && known.seenUntil === seenUntil) return known
    const [next] = seenUntil === undefined ? [] : nextTimes(schedule.when, new Date(seenUntil), 1)
    const ahead = { fingerprint: known?.fingerprint ?? fingerprintOf(schedule), seenUntil, next }
    this.#known.set(schedule, ahead)
    return ahead
  }

  #request(
    schedule: ConfiguredSchedule,
    { at, first, count }: NonNullable<ReturnType<typeof newestDue>>,
    now: Date,
  ): void {
    const { runs, alerts, surroundings, tell, graceMs } = this.#options
    const { name, entry } = schedule
    const there = surroundings()
    const wanted = wantedBySchedule(schedule, there, at)
    if (!wanted) {
      // before the first database there is nothing to do; a name that is wrong is never right by itself
      const { databases } = entry
      const isLost = databasesOf(entry, there.databases)?.length === 0
      if (databases && isLost) alerts.raise(matchesNothing(name, databases))
      tell(`schedule ${name}: there is nothing to ${entry.command} yet`)
      return
    }
    const cause = now.getTime() - at.getTime() > promptMs ? 'caught-up' : 'schedule'
    const run = runs.request({ ...wanted, schedule: name, cause, dueAt: at })
    const lateMs = now.getTime() - first.getTime()
    if (lateMs <= graceMs()) return
    const others = count > 1 ? `, and ${formatQuantity(count - 1, 'time')} after that` : ''
    alerts.raise({
      kind: 'run-missed',
      severity: 'warning',
      subject: name,
      title: `${name} did not run when it should have`,
      text: `It was to run on ${formatTime(first)}${others}; the service was not running then, or the machine was asleep. It is caught up once, ${formatDuration(lateMs)} late.`,
      remedy: 'look why: journalctl -u pgrevive, or the log of its container',
      run: run.id,
    })
  }

  #note({ name }: ConfiguredSchedule, fingerprint: string, now: Date): void {
    this.#options.state.change(
      `insert into schedule_mark (schedule, fingerprint, seen_until) values (:name, :fingerprint, :now)
       on conflict (schedule) do update set fingerprint = :fingerprint, seen_until = :now`,
      { name, fingerprint, now: now.toISOString() },
    )
  }
}

function matchesNothing(name: string, databases: readonly string[]): Trouble {
  return {
    kind: 'run-missed',
    severity: 'warning',
    subject: name,
    title: `${name} did not run: it matches no database`,
    text: `It is about ${databases.join(', ')}, and there is no such database.`,
    remedy: 'correct "databases:" of the schedule: "pgrevive list --databases" shows which there are',
  }
}

/** Of when it runs, and what: one that was changed begins anew. */
function fingerprintOf({ entry, when }: ConfiguredSchedule): string {
  return createHash('sha256')
    .update(JSON.stringify([entry, when]))
    .digest('base64url')
}
