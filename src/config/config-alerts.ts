import { z } from 'zod'
import { type Severity, severities } from '../shapes/alert.ts'
import { type ChannelTarget, channel, resolveTarget } from './config-channels.ts'
import { type PartResolver, type TextSource, resolveText, secretFile, secretVariable } from './config-secret.ts'
import { timeSpan, timeSpanMs } from './value-types.ts'
import { localTimeZone, timeZoneProblem } from './when/time-zone.ts'

const percent = z.int().min(1)
const ping = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe('URL is called when all went well, URL/start and URL/fail else')
    .optional(),
  url_env: secretVariable('it'),
  url_file: secretFile('it'),
})

/** What stands under `alerts:`. */
export const alerts = z.strictObject({
  remind_every: timeSpan.describe('How often an alert that is still open is told again (default: 24h)').optional(),
  run_grace: timeSpan.describe('How late a run may begin before it counts as missed (default: 30m)').optional(),
  anomalies: z
    .strictObject({
      size_percent: percent.describe('How far the size may be from the usual (default: 50)').optional(),
      rows_percent: percent.describe('… the number of rows (default: 50)').optional(),
      duration_factor: z.number().min(1.1).describe('… how many times as long it may take (default: 3)').optional(),
    })
    .describe('What is unusual of a backup, compared with the median of those before it')
    .optional(),
  channels: z
    .record(z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"'), channel)
    .describe('Where alerts are told; docs/how-to/alerts.md')
    .optional(),
  pings: z
    .record(z.string(), ping)
    .describe('By schedule: what is called at the start and the end of each of its runs, as healthchecks.io knows it')
    .optional(),
})

export interface ConfiguredAlerts {
  readonly remindEveryMs: number
  /** How late a run may begin before it counts as missed. */
  readonly runGraceMs: number
  readonly anomalies: { readonly sizePercent: number; readonly rowsPercent: number; readonly durationFactor: number }
  readonly channels: ReadonlyMap<string, ConfiguredChannel>
  /** URLs by the name of the schedule. */
  readonly pings: ReadonlyMap<string, TextSource>
}

export interface ConfiguredChannel {
  readonly name: string
  readonly target: ChannelTarget
  readonly least: Severity
  readonly quiet: QuietHours | undefined
}

/** From one local time to another, which may be of the next day; each `HH:MM`. */
export interface QuietHours {
  readonly from: string
  readonly to: string
  readonly timeZone: string
  /** Critical ones are told all the same. */
  readonly exceptCritical: boolean
}

export function resolveAlerts(
  entry: z.output<typeof alerts>,
  schedules: readonly string[],
  resolver: PartResolver,
): ConfiguredAlerts {
  const { anomalies = {}, channels = {}, pings = {} } = entry
  return {
    remindEveryMs: timeSpanMs(entry.remind_every ?? '24h'),
    runGraceMs: timeSpanMs(entry.run_grace ?? '30m'),
    anomalies: {
      sizePercent: anomalies.size_percent ?? 50,
      rowsPercent: anomalies.rows_percent ?? 50,
      durationFactor: anomalies.duration_factor ?? 3,
    },
    channels: new Map(
      Object.entries(channels).flatMap(([name, one]): [string, ConfiguredChannel][] => {
        const path = ['alerts', 'channels', name]
        const target = resolveTarget(one, path, resolver)
        if (!target) return []
        return [
          [name, { name, target, least: one.least ?? severities[1], quiet: resolveQuiet(one.quiet, path, resolver) }],
        ]
      }),
    ),
    pings: new Map(
      Object.entries(pings).flatMap(([name, one]): [string, TextSource][] => {
        const path = ['alerts', 'pings', name]
        if (!schedules.includes(name)) {
          resolver.problems.push({ path, message: `no schedule of this file is named "${name}"` })
        }
        const url = resolveText('url', one, path, resolver)
        if (!url) resolver.problems.push({ path, message: `${path.join('.')} needs url, url_env or url_file` })
        return url ? [[name, url]] : []
      }),
    ),
  }
}

function resolveQuiet(
  entry: z.output<typeof channel>['quiet'],
  path: readonly string[],
  resolver: PartResolver,
): QuietHours | undefined {
  if (!entry) return undefined
  const timeZone = entry.time_zone ?? localTimeZone()
  const problem = timeZoneProblem(timeZone)
  if (problem !== undefined) resolver.problems.push({ path: [...path, 'quiet', 'time_zone'], message: problem })
  if (entry.from === entry.to) {
    resolver.problems.push({
      path: [...path, 'quiet', 'to'],
      message: 'quiet hours must end at another time than they begin',
    })
  }
  return { from: entry.from, to: entry.to, timeZone, exceptCritical: entry.except_critical ?? false }
}
