import { z } from 'zod'
import { nearestWord } from '../core/text/suggestion.ts'
import type { ConfigProblem } from './config-problem.ts'
import { byteCount, timeSpan, timeSpanMs } from './value-types.ts'
import { WhenProblem, parseWhen } from './when/parse-when.ts'
import { localTimeZone, timeZoneProblem } from './when/time-zone.ts'
import { type When, shortestGapMs } from './when/times.ts'

const name = z.string().min(1)
const commands = ['backup', 'prove', 'forget', 'prune', 'sync', 'check', 'refresh'] as const
const levels = ['list', 'structure', 'bits', 'content'] as const

/** One of `schedules:`. */
export const schedule = z.strictObject({
  command: z.enum(commands).describe('What is run; prove is a drill: of each database one backup is proven'),
  when: name.describe(
    'hourly, every 6 hours, every 15 minutes, daily at 02:00, weekdays at 22:30, weekly on sunday at 03:00, monthly on 1 at 04:00, or a cron expression',
  ),
  time_zone: name.describe("Of `when`: Europe/Berlin (default: the machine's)").optional(),
  jitter: timeSpan.describe('Each run begins later by up to so much: 10m').optional(),
  databases: z
    .array(name)
    .min(1)
    .describe('Only these, by name or pattern such as app_*; backup, prove and forget (default: all)')
    .optional(),
  repositories: z.array(name).min(1).describe('Only these; all but sync and refresh (default: all)').optional(),
  level: z.enum(levels).describe('Of check: list, structure, bits, content (default: structure)').optional(),
  budget: z
    .string()
    .refine((text) => byteCount.safeParse(text).success, 'must be a number of bytes, such as 500MB or 2GiB')
    .describe('Of check: read at most so much, what was read longest ago first: 10GB')
    .optional(),
  from: name.describe('Of sync: the repository that is copied from').optional(),
  to: name.describe('Of sync: the one that is copied into').optional(),
  refresh: name.describe('Of refresh: which of refreshes').optional(),
  enabled: z.boolean().describe('false: it does not run (default: true)').optional(),
})
export type ScheduleEntry = z.output<typeof schedule>
export const schedules = z.record(
  z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"'),
  schedule,
)

const keysOf = {
  backup: ['databases', 'repositories'],
  prove: ['databases', 'repositories'],
  forget: ['databases', 'repositories'],
  prune: ['repositories'],
  sync: ['from', 'to'],
  check: ['repositories', 'level', 'budget'],
  refresh: ['refresh'],
} as const satisfies Record<(typeof commands)[number], readonly (keyof ScheduleEntry)[]>
const ownKeys = ['databases', 'repositories', 'level', 'budget', 'from', 'to', 'refresh'] as const

export interface ConfiguredSchedule {
  readonly name: string
  readonly entry: ScheduleEntry
  readonly when: When
  readonly enabled: boolean
}

/** What else of the file a schedule may name. */
export interface KnownNames {
  readonly repositories: readonly string[]
  readonly refreshes: readonly string[]
}

export function resolveSchedules(
  entries: z.output<typeof schedules>,
  known: KnownNames,
  problems: ConfigProblem[],
): ReadonlyMap<string, ConfiguredSchedule> {
  const resolved = Object.entries(entries).flatMap(([name, entry]): [string, ConfiguredSchedule][] => {
    const found = problemsOfSchedule(entry, known)
    const when = resolveWhen(name, entry, found)
    problems.push(...found.map(({ path, message }) => ({ path: ['schedules', name, ...path], message })))
    return when ? [[name, { name, entry, when, enabled: entry.enabled ?? true }]] : []
  })
  return new Map(resolved)
}

/** Pushes what is wrong; also for what somebody types into a form. */
export function resolveWhen(
  name: string,
  { when, time_zone, jitter }: Pick<ScheduleEntry, 'when' | 'time_zone' | 'jitter'>,
  problems: ConfigProblem[],
): When | undefined {
  const timeZone = time_zone ?? localTimeZone()
  const zoneProblem = timeZoneProblem(timeZone)
  if (zoneProblem !== undefined) problems.push({ path: ['time_zone'], message: zoneProblem })
  const spanProblem = timeSpan.optional().safeParse(jitter).error?.issues[0]?.message
  if (spanProblem !== undefined) problems.push({ path: ['jitter'], message: `jitter ${spanProblem}` })
  try {
    const cron = parseWhen(when)
    if (zoneProblem !== undefined || spanProblem !== undefined) return undefined
    const jitterMs = jitter === undefined ? 0 : timeSpanMs(jitter)
    if (jitterMs > 0 && jitterMs >= shortestGapMs({ cron, timeZone })) {
      problems.push({ path: ['jitter'], message: 'jitter must be shorter than the time between two runs' })
      return undefined
    }
    return { cron, timeZone, jitterMs, seed: name }
  } catch (error) {
    if (!(error instanceof WhenProblem)) throw error
    problems.push({ path: ['when'], message: error.message })
    return undefined
  }
}

function problemsOfSchedule(entry: ScheduleEntry, known: KnownNames): ConfigProblem[] {
  const { command, repositories = [], from, to, refresh } = entry
  const allowed: readonly string[] = keysOf[command]
  const foreign = ownKeys.filter((key) => entry[key] !== undefined && !allowed.includes(key))
  const named = (key: string, names: readonly string[], all: readonly string[]) =>
    names.filter((it) => !all.includes(it)).map((it) => ({ path: [key], message: unknownName(key, it, all) }))
  return [
    ...foreign.map((key) => ({ path: [key], message: `${key} does not belong to ${command}` })),
    ...named('repositories', repositories, known.repositories),
    ...named('from', from === undefined ? [] : [from], known.repositories),
    ...named('to', to === undefined ? [] : [to], known.repositories),
    ...named('refresh', refresh === undefined ? [] : [refresh], known.refreshes),
    ...(command === 'refresh' && refresh === undefined
      ? [{ path: ['command'], message: 'refresh must name one of refreshes' }]
      : []),
  ]
}

function unknownName(key: string, name: string, all: readonly string[]): string {
  const near = nearestWord(name, all)
  const what = key === 'refresh' ? 'refresh' : 'repository'
  return `no ${what} of this file is named "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`
}
