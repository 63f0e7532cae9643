import type { When } from './times.ts'
import { weekdays } from './parse-when.ts'

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const

/** In words: `every day at 02:00 (Europe/Berlin)`; a cron expression that words would not make clearer stays as it is. */
export function meaningOf({ cron, timeZone, jitterMs }: Omit<When, 'seed'>): string {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = cron.split(' ')
  const time = timeWords(minute, hour)
  const days = dayWords(day, month, weekday)
  const words =
    time === undefined || days === undefined
      ? `cron "${cron}"`
      : time.startsWith('every')
        ? [time, days === 'every day' ? '' : days].filter((it) => it !== '').join(', ')
        : `${days} at ${time}`
  const minutes = Math.ceil(jitterMs / 60_000)
  return `${words} (${timeZone})${jitterMs === 0 ? '' : `, up to ${minutes === 1 ? 'a minute' : `${minutes} minutes`} later`}`
}

function timeWords(minute: string, hour: string): string | undefined {
  const [, everyMinutes] = /^\*\/(\d+)$/.exec(minute) ?? []
  if (hour === '*') {
    if (minute === '*') return 'every minute'
    if (everyMinutes !== undefined) return `every ${everyMinutes} minutes`
    const minutes = numbers(minute)
    return minutes && `every hour at ${joined(minutes.map((it) => `:${twoDigits(it)}`))}`
  }
  const [, everyHours] = /^\*\/(\d+)$/.exec(hour) ?? []
  if (everyHours !== undefined && minute === '0') return `every ${everyHours} hours`
  const minutes = numbers(minute)
  const hours = numbers(hour)
  if (!minutes || !hours || minutes.length * hours.length > 6) return undefined
  return joined(hours.flatMap((it) => minutes.map((other) => `${twoDigits(it)}:${twoDigits(other)}`)))
}

function dayWords(day: string, month: string, weekday: string): string | undefined {
  const inMonths = month === '*' ? '' : numbers(month)?.map((it) => months[it - 1] ?? '')
  if (inMonths === undefined || (day !== '*' && weekday !== '*')) return undefined
  const suffix = inMonths === '' ? '' : ` of ${joined(inMonths)}`
  if (day === 'L') return `on the last day of ${inMonths === '' ? 'each month' : joined(inMonths)}`
  if (day !== '*') {
    const days = numbers(day)
    return days && `on day ${joined(days.map(String))} of ${inMonths === '' ? 'each month' : joined(inMonths)}`
  }
  if (weekday === '*') return `every day${suffix}`
  if (weekday === '1-5') return `Monday to Friday${suffix}`
  const named = numbers(weekday)?.map((it) => weekdays[it % 7] ?? '')
  return named && `every ${joined(named.map((it) => it.charAt(0).toUpperCase() + it.slice(1)))}${suffix}`
}

/** undefined unless it is a list of numbers. */
function numbers(field: string): number[] | undefined {
  return /^\d+(,\d+)*$/.test(field) ? field.split(',').map(Number) : undefined
}

function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
