import { errorCodes, exitCodeOf } from '../../core/app-error.ts'
import { formatTime } from '../../core/text/format.ts'
import type { Repository } from '../../shapes/repository.ts'
import type { Run } from '../../shapes/run.ts'
import type { Alerts, Trouble } from '../alerts/alerts.ts'
import type { Runs } from '../runs/runs.ts'
import { isRepeatable } from '../runs/wanted-run.ts'

export interface RunWatchOptions {
  readonly runs: Pick<Runs, 'list' | 'get' | 'events'>
  readonly alerts: Alerts
  readonly schedules: () => Iterable<string>
  readonly repositories: () => readonly Repository[]
  readonly graceMs: () => number
}

const storeExitCode = errorCodes['store-missing'].exit
/** How long a repository may take to be looked at, after a run failed that it may be to blame for. */
const lookMs = 10 * 60_000

/**
 * Alerts about runs of schedules: one that failed, or could not begin. What a person asked for is that person's to look
 * at; when it goes well, it ends the alert that it made good.
 */
export class RunWatch {
  readonly #options: RunWatchOptions
  /** Ended, and not judged yet. */
  readonly #pending = new Map<string, Run>()

  constructor(options: RunWatchOptions) {
    this.#options = options
    options.runs.events.on('ended', (run) => this.#pending.set(run.id, run))
    // what ended when nobody watched
    for (const schedule of options.schedules()) {
      const [last] = options.runs.list({ schedule, states: ['done', 'failed', 'interrupted'], limit: 1 }).items
      if (last) this.#pending.set(last.id, last)
    }
  }

  tick(now: Date): void {
    for (const [id, run] of this.#pending) {
      if (this.#judge(run, now)) this.#pending.delete(id)
    }
    this.#lookAtWaiting(now)
    this.#forgetRemoved()
  }

  /** False where it is to be looked at again. */
  #judge(run: Run, now: Date): boolean {
    const { alerts } = this.#options
    const { schedule, state, error, command } = run
    if (command === 'list') return true
    if (state === 'done') {
      this.#closeFor(run)
      return true
    }
    const isLost = state === 'interrupted' && !isRepeatable(command)
    if (schedule === null || (state !== 'failed' && !isLost)) return true
    if (error?.code === 'check-damaged') {
      for (const trouble of damageOf(run)) alerts.raise(trouble)
      return true
    }
    if (isOfStore(error?.code)) {
      const blamed = this.#blamedRepositories(run, now)
      if (blamed === undefined) return false
      if (blamed.length > 0) return true // about which there is an alert
    }
    alerts.raise(failureOf(run, schedule))
    return true
  }

  #closeFor(run: Run): void {
    const { alerts, runs } = this.#options
    if (run.schedule !== null) {
      for (const kind of ['run-failed', 'run-missed', 'hook-failed'] as const) {
        const open = alerts.open(kind, run.schedule)
        // what was done before says nothing of it; a service that begins looks at that, too
        const isSince = open?.run ? open.run <= run.id : open && open.opened_at <= run.createdAt
        if (isSince) alerts.close(kind, run.schedule)
      }
    }
    if (run.command === 'check') {
      for (const name of run.repositories) {
        const open = alerts.open('repository', name)
        if (open && open.run !== null) alerts.close('repository', name)
      }
    }
    for (const { kind, subject, run: id } of alerts.openOf()) {
      const failed = kind === 'run-failed' || kind === 'hook-failed' ? id !== null && runs.get(id) : undefined
      if (failed && makesGood(run, failed)) alerts.close(kind, subject)
    }
  }

  /** Those of a failed run that can not be reached; undefined while it is not known. */
  #blamedRepositories(run: Run, now: Date): string[] | undefined {
    const { repositories } = this.#options
    const involved = repositories().filter(
      ({ name }) => run.repositories.length === 0 || run.repositories.includes(name),
    )
    const endedAt = run.endedAt ?? run.createdAt
    const isLooked = involved.every(({ lookedAt }) => lookedAt !== null && lookedAt >= endedAt)
    const isOver = Math.abs(now.getTime() - Date.parse(endedAt)) > lookMs
    if (!isLooked && !isOver) return undefined
    return involved.filter(({ reachable }) => reachable === false).map(({ name }) => name)
  }

  /** What should have begun long ago and waits, for others to end. */
  #lookAtWaiting(now: Date): void {
    const { runs, alerts, graceMs } = this.#options
    for (const { id, schedule, dueAt, createdAt } of runs.list({ states: ['waiting'], limit: 1000 }).items) {
      if (schedule === null || dueAt === null || now.getTime() - Date.parse(createdAt) <= graceMs()) continue
      alerts.raise({
        kind: 'run-missed',
        severity: 'warning',
        subject: schedule,
        title: `${schedule} did not run when it should have`,
        text: `It was to run on ${formatTime(new Date(dueAt))}, and waits for other runs to end.`,
        remedy: 'spread the schedules over the day, or let more run at once: service.at_once of pgrevive.yaml',
        run: id,
      })
    }
  }

  /** A schedule that pgrevive.yaml has no more can not make anything good. */
  #forgetRemoved(): void {
    const { alerts, schedules } = this.#options
    const known = new Set(schedules())
    for (const { kind, subject } of alerts.openOf()) {
      const isOfSchedule = kind === 'run-failed' || kind === 'run-missed' || kind === 'hook-failed'
      if (isOfSchedule && !known.has(subject)) alerts.close(kind, subject)
    }
  }
}

function failureOf({ id, commandLine, command, error, state }: Run, schedule: string): Trouble {
  const isHook = error?.code === 'hook-failed'
  const happened = state === 'interrupted' ? 'was interrupted' : 'failed'
  return {
    kind: isHook ? 'hook-failed' : 'run-failed',
    severity: error?.code === 'proof-refuted' ? 'critical' : 'warning',
    subject: schedule,
    title: isHook ? `a hook of ${schedule} failed` : `${schedule} (${command}) ${happened}`,
    text: error?.message ?? `it ended without saying why: ${commandLine}`,
    remedy: error?.hint ?? null,
    run: id,
  }
}

function damageOf({ id, error, repositories }: Run): Trouble[] {
  return repositories.map((name) => ({
    kind: 'repository',
    severity: 'critical',
    subject: name,
    title: `check found damage in ${repositories.length === 1 ? name : 'a repository'}`,
    text: error?.message ?? '',
    remedy: error?.hint ?? 'pgrevive check --repair',
    run: id,
  }))
}

/** Another run of the same command that did all that the failed one was to do. */
function makesGood(done: Run, failed: Run): boolean {
  const covers = (key: 'databases' | 'repositories') => failed[key].every((name) => done[key].includes(name))
  return done.command === failed.command && done.id > failed.id && covers('databases') && covers('repositories')
}

function isOfStore(code: string | undefined): boolean {
  return code !== undefined && exitCodeOf(code) === storeExitCode
}
