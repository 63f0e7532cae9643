import { z } from 'zod'
import { name, time } from './common.ts'

/** As in pgrevive.yaml, "schedules:". */
export const scheduleEntry = z
  .object({
    command: z.enum(['backup', 'prove', 'forget', 'prune', 'sync', 'check', 'refresh']),
    /** A cron expression, or words: "daily at 02:00", "every 6 hours". */
    when: z.string().min(1).max(200),
    time_zone: z.string().max(100).optional(),
    jitter: z.string().optional(),
    databases: z.array(name).optional(),
    repositories: z.array(name).optional(),
    level: z.enum(['list', 'structure', 'bits', 'content']).optional(),
    budget: z.string().optional(),
    /** Of sync. */
    from: name.optional(),
    to: name.optional(),
    refresh: name.optional(),
    enabled: z.boolean().optional(),
  })
  .meta({ id: 'ScheduleEntry' })
export type ScheduleEntry = z.output<typeof scheduleEntry>

/** The databases that it would be about now; null for a command that is about none. */
const matches = z.array(z.string()).nullable()

export const schedule = z
  .object({
    name,
    entry: scheduleEntry,
    /** `when` in words, with its time zone. */
    meaning: z.string(),
    matches,
    enabled: z.boolean(),
    /** The next ten. */
    next: z.array(time),
    lastRun: z.object({ id: z.ulid(), state: z.string(), at: time }).nullable(),
  })
  .meta({ id: 'Schedule' })
export type Schedule = z.output<typeof schedule>

export const schedulePreviewRequest = scheduleEntry
  .partial()
  .pick({ command: true, when: true, time_zone: true, jitter: true, databases: true })
  .required({ when: true })
export const schedulePreview = z
  .object({ meaning: z.string().nullable(), next: z.array(time), problem: z.string().nullable(), matches })
  .meta({ id: 'SchedulePreview' })
export type SchedulePreview = z.output<typeof schedulePreview>
