import { z } from 'zod'
import { name, time } from './common.ts'

export const alertKinds = [
  'run-failed',
  'run-missed',
  'objective',
  'anomaly',
  'repository',
  'hook-failed',
  'service',
] as const
export const alertKind = z.enum(alertKinds).meta({ id: 'AlertKind' })
export type AlertKind = z.output<typeof alertKind>

export const severities = ['info', 'warning', 'critical'] as const
export const severity = z.enum(severities).meta({ id: 'Severity' })
export type Severity = z.output<typeof severity>

/** One trouble from its beginning to its end. */
export const alert = z
  .object({
    id: z.ulid(),
    kind: alertKind,
    severity,
    /** The database, repository, schedule or channel that it is about. */
    subject: z.string(),
    title: z.string(),
    text: z.string(),
    remedy: z.string().nullable(),
    run: z.ulid().nullable(),
    openedAt: time,
    /** When it was last told to anyone. */
    toldAt: time.nullable(),
    closedAt: time.nullable(),
    /** Nobody is reminded any more, until it ends. */
    acknowledgedBy: z.string().nullable(),
    deliveries: z.array(
      z.object({
        channel: z.string(),
        notice: z.enum(['opened', 'reminder', 'closed']),
        state: z.enum(['waiting', 'sent', 'failed']),
        at: time,
        error: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Alert' })
export type Alert = z.output<typeof alert>

export const channelKinds = ['email', 'slack', 'discord', 'telegram', 'webhook', 'ntfy', 'pagerduty'] as const
export type ChannelKind = (typeof channelKinds)[number]

export const channel = z
  .object({
    name,
    kind: z.enum(channelKinds),
    /** Where it goes, without secrets. */
    target: z.string(),
    least: severity,
    quiet: z.string().nullable(),
    lastDelivery: z.object({ at: time, ok: z.boolean(), error: z.string().nullable() }).nullable(),
  })
  .meta({ id: 'Channel' })
export type Channel = z.output<typeof channel>

const mostLevels = 20

/** Values within values. */
function isShallow(value: unknown, levels = mostLevels): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((one) => isShallow(one, levels - 1))
}

/**
 * As in pgrevive.yaml, "alerts: channels:"; secrets are named by keys such as token_file, after PUT /api/secrets/NAME.
 * The url of slack, discord and webhook is kept as such a secret by itself.
 */
export const channelEntry = z
  .looseObject({ kind: z.enum(channelKinds) })
  .refine((entry) => isShallow(entry), `must have no more than ${mostLevels} levels`)
  .meta({ id: 'ChannelEntry' })

export const channelTest = z
  .object({ ok: z.boolean(), error: z.string().nullable(), tookMs: z.number() })
  .meta({ id: 'ChannelTest' })
export type ChannelTest = z.output<typeof channelTest>
