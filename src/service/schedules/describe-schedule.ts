import type { ConfigProblem } from '../../config/config-problem.ts'
import { type ConfiguredSchedule, type ScheduleEntry, resolveWhen } from '../../config/config-schedules.ts'
import { meaningOf } from '../../config/when/meaning.ts'
import { nextTimes } from '../../config/when/times.ts'
import type { Schedule, SchedulePreview } from '../../shapes/schedule.ts'
import type { Runs } from '../runs/runs.ts'

const shownTimes = 10

/** As the API shows one. */
export function describeSchedule(
  { name, entry, when, enabled }: ConfiguredSchedule,
  { runs, now }: { readonly runs: Pick<Runs, 'list'>; readonly now: Date },
): Schedule {
  const [last] = runs.list({ schedule: name, limit: 1 }).items
  return {
    name,
    entry,
    meaning: meaningOf(when),
    enabled,
    next: enabled ? nextTimes(when, now, shownTimes).map((time) => time.toISOString()) : [],
    lastRun: last ? { id: last.id, state: last.state, at: last.startedAt ?? last.createdAt } : null,
  }
}

/** What somebody types, before it is kept. `name`: of the schedule, for its jitter. */
export function previewSchedule(
  entry: Pick<ScheduleEntry, 'when' | 'time_zone' | 'jitter'>,
  now: Date,
  name = '',
): SchedulePreview {
  const problems: ConfigProblem[] = []
  const when = resolveWhen(name, entry, problems)
  const [problem] = problems
  if (!when || problem) return { meaning: null, next: [], problem: problem?.message ?? null }
  return {
    meaning: meaningOf(when),
    next: nextTimes(when, now, shownTimes).map((time) => time.toISOString()),
    problem: null,
  }
}
