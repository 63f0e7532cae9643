import type { QuietHours } from '../../config/config-alerts.ts'
import type { Severity } from '../../shapes/alert.ts'

/** When quiet hours that are now will end, to the minute; undefined where nothing has to wait. */
export function quietUntil(quiet: QuietHours | undefined, severity: Severity, now: Date): Date | undefined {
  if (!quiet || (quiet.exceptCritical && severity === 'critical')) return undefined
  if (!isWithin(quiet, now)) return undefined
  const minute = 60_000
  let end = new Date(Math.floor(now.getTime() / minute) * minute + minute)
  // minute by minute, since a night in which the clock is changed has another number of them
  while (isWithin(quiet, end)) end = new Date(end.getTime() + minute)
  return end
}

function isWithin({ from, to, timeZone }: QuietHours, time: Date): boolean {
  const local = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  const now = local.format(time)
  return from < to ? from <= now && now < to : from <= now || now < to
}
