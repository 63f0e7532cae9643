import { createHash } from 'node:crypto'
import { Cron } from 'croner'

/** The times of a schedule. */
export interface When {
  /** Five fields. */
  readonly cron: string
  /** An IANA name. */
  readonly timeZone: string
  /** Each time comes later by less than this: by always the same for one time of one `seed`. */
  readonly jitterMs: number
  readonly seed: string
}

/**
 * Each local time comes once, on the day without it right after the gap. What runs in every hour (`*`) goes by the time
 * that passes instead: it runs in both of two hours of the same name.
 */
export function cronJob({ cron, timeZone }: Pick<When, 'cron' | 'timeZone'>): Cron {
  return new Cron(withoutSteps(cron), {
    timezone: timeZone,
    mode: '5-part',
    paused: true,
    fixedTimeRule: 'no-wildcard',
  })
}

/** Hours and minutes as lists, where croner would take what has a step for something that goes by the time that passes. */
function withoutSteps(cron: string): string {
  const [minute = '', hour = '', ...days] = cron.split(' ')
  if (hour === '*') return cron
  return [listed(minute, 59), listed(hour, 23), ...days].join(' ')
}

function listed(field: string, last: number): string {
  const parts = field.split(',').map((part) => {
    const [, range = '', from, to, step = '1'] = /^(\*|(\d+)-(\d+))(?:\/(\d+))?$/.exec(part) ?? []
    if (range === '' || Number(step) === 0) return part
    const first = Number(from ?? 0)
    const count = Math.max(0, Math.floor((Number(to ?? last) - first) / Number(step)) + 1)
    return Array.from({ length: Math.min(count, 60) }, (_, index) => first + index * Number(step)).join(',') || part
  })
  return parts.join(',')
}

/** All that come after a moment. */
function* timesAfter(when: When, after: Date): Generator<Date, undefined> {
  const job = cronJob(when)
  let time = job.nextRun(new Date(after.getTime() - when.jitterMs))
  for (; time; time = job.nextRun(time)) {
    const jittered = withJitter(when, time)
    if (jittered > after) yield jittered
  }
}

/** What never comes again has fewer, or none. */
export function nextTimes(when: When, after: Date, count: number): Date[] {
  const times: Date[] = []
  for (const time of timesAfter(when, after)) {
    if (times.push(time) >= count) break
  }
  return times
}

const mostCounted = 1000

/** The newest and the first time after one moment and not after another. `count`: how many there are; 1000 are many. */
export function newestDue(
  when: When,
  after: Date,
  until: Date,
): { readonly at: Date; readonly first: Date; readonly count: number } | undefined {
  // Those before `until`, to the second. One whose jitter has not passed yet leaves the turn to the one before.
  const newest = cronJob(when).previousRuns(2, new Date(until.getTime() + 1000))
  const at = newest.map((time) => withJitter(when, time)).find((time) => time > after && time <= until)
  if (!at) return undefined
  let count = 0
  let first = at
  for (const time of timesAfter(when, after)) {
    if (time > at || count === mostCounted) break
    if (count === 0) first = time
    count++
  }
  return { at, first, count }
}

function withJitter({ jitterMs, seed }: When, time: Date): Date {
  if (jitterMs === 0) return time
  const digest = createHash('sha256').update(`${seed}\0${time.toISOString()}`).digest()
  return new Date(time.getTime() + (digest.readUInt32BE(0) % Math.floor(jitterMs / 1000)) * 1000)
}

/** Between two times that follow each other, as far as they can be seen. */
export function shortestGapMs(when: Pick<When, 'cron' | 'timeZone'>): number {
  const times = nextTimes({ ...when, jitterMs: 0, seed: '' }, new Date(), 100)
  return Math.min(...times.slice(1).map((time, index) => time.getTime() - (times[index]?.getTime() ?? 0)))
}
