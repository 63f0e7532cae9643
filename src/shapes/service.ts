import { z } from 'zod'
import { alert } from './alert.ts'
import { databaseSummary } from './database.ts'
import { repository } from './repository.ts'
import { logLine, progress, run } from './run.ts'
import { time } from './common.ts'

/** The front page: what needs attention comes first. */
export const overview = z
  .object({
    at: time,
    databases: z.array(databaseSummary),
    repositories: z.array(repository),
    /** Names of repositories whose recovery kit nobody has said to keep elsewhere. */
    waitingKits: z.array(z.string()),
    alerts: z.array(alert),
    /** Running and waiting, then the newest ten that ended. */
    runs: z.array(run),
    /** What a new user has not done yet, in the order to do it. */
    todo: z.array(z.enum(['repository', 'kit', 'database', 'backup', 'proof', 'schedule', 'channel'])),
  })
  .meta({ id: 'Overview' })
export type Overview = z.output<typeof overview>

/** Server-sent events of GET /api/events; `event:` is the kind, `data:` the JSON. */
export const serviceEvent = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('run'), run }),
    z.object({ kind: z.literal('progress'), run: z.ulid(), progress }),
    z.object({ kind: z.literal('log'), run: z.ulid(), line: logLine }),
    z.object({ kind: z.literal('alert'), alert }),
    /** What the overview or a list shows has changed: ask again. */
    z.object({ kind: z.literal('changed'), what: z.enum(['databases', 'repositories', 'schedules', 'settings']) }),
  ])
  .meta({ id: 'ServiceEvent' })
export type ServiceEvent = z.output<typeof serviceEvent>

export const settingsText = z
  .object({
    file: z.string(),
    /** pgrevive.yaml as it lies there; empty if it does not. */
    text: z.string(),
    /** Of that text; a change must name the one that it began from. */
    revision: z.string(),
  })
  .meta({ id: 'SettingsText' })
export type SettingsText = z.output<typeof settingsText>

export const settingsChange = z
  .object({ text: z.string().max(1_000_000), revision: z.string() })
  .meta({ id: 'SettingsChange' })
export const settingsPreview = z
  .object({
    problems: z.array(z.object({ line: z.int().nullable(), message: z.string() })),
    /** Lines, as diff -u shows them. */
    diff: z.array(z.object({ kind: z.enum(['same', 'added', 'removed']), text: z.string() })),
    /** What would change, in sentences. */
    effects: z.array(z.string()),
  })
  .meta({ id: 'SettingsPreview' })
export type SettingsPreview = z.output<typeof settingsPreview>

export const secretNames = z.object({ names: z.array(z.string()) }).meta({ id: 'SecretNames' })
/** One line; written, and never given out. */
export const newSecret = z.object({ value: z.string().min(1).max(10_000) }).meta({ id: 'NewSecret' })
