import { nearestWord } from '../../core/text/suggestion.ts'
import { cronJob } from './times.ts'

/** What is wrong with a time, in a sentence that says what would do. */
export class WhenProblem extends Error {}

export const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const
const examples = '"daily at 02:00", "weekly on sunday at 03:00", "every 6 hours" or "0 2 * * *"'

/** The cron expression that words, or a cron expression, mean. Throws WhenProblem, a sentence with what would do. */
export function parseWhen(text: string): string {
  const words = text.trim().toLowerCase().replaceAll(/\s+/g, ' ')
  const cron = cronOfWords(words) ?? text.trim().replaceAll(/\s+/g, ' ')
  if (cron.split(' ').length !== 5 || /^[a-z]/.test(cron)) throw new WhenProblem(notUnderstood(words))
  try {
    if (cronJob({ cron, timeZone: 'UTC' }).nextRun(new Date(0))) return cron
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error)
    throw new WhenProblem(`"${text}" is no time: ${reason}; write ${examples}`)
  }
  throw new WhenProblem(`"${text}" never comes`)
}

function cronOfWords(words: string): string | undefined {
  if (words === 'hourly' || words === 'every hour') return '0 * * * *'
  const [, count = '', unit] = /^every (\d{1,3}) (minutes?|hours?)$/.exec(words) ?? []
  if (unit !== undefined) return cronOfInterval(Number(count), unit.startsWith('hour'))
  const [, days = '', hour = '', minute = ''] = /^(.+) at (\d{1,2}):(\d{2})$/.exec(words) ?? []
  if (days === '') return undefined
  if (Number(hour) > 23 || Number(minute) > 59) {
    throw new WhenProblem(`${hour}:${minute} is no time of the day; it goes from 00:00 to 23:59`)
  }
  const time = `${Number(minute)} ${Number(hour)}`
  if (days === 'daily' || days === 'every day') return `${time} * * *`
  if (days === 'weekdays') return `${time} * * 1-5`
  const [, names] = /^weekly on (.+)$/.exec(days) ?? []
  if (names !== undefined)
    return `${time} * * ${names
      .split(/ and |, ?/)
      .map(weekdayNumber)
      .join(',')}`
  const [, day] = /^monthly on (?:the )?(\d{1,2}|last)$/.exec(days) ?? []
  if (day === undefined) return undefined
  if (day !== 'last' && (Number(day) < 1 || Number(day) > 31)) throw new WhenProblem(`no month has a day ${day}`)
  return `${time} ${day === 'last' ? 'L' : Number(day)} * *`
}

/** Only what divides the day, or the hour, comes at the same distance always. */
function cronOfInterval(count: number, isHours: boolean): string {
  const whole = isHours ? 24 : 60
  const unit = isHours ? 'hours' : 'minutes'
  if (count >= 1 && count < whole && whole % count === 0) return isHours ? `0 */${count} * * *` : `*/${count} * * * *`
  if (count === whole) return isHours ? '0 0 * * *' : '0 * * * *'
  const fitting = Array.from({ length: whole - 1 }, (_, index) => index + 1).filter((it) => whole % it === 0)
  const near = fitting.toSorted((one, other) => Math.abs(one - count) - Math.abs(other - count))[0]
  throw new WhenProblem(`${whole} ${unit} are no whole number of ${count} ${unit}; every ${near} ${unit} would do`)
}

function weekdayNumber(name: string): number {
  const index = weekdays.findIndex((day) => day === name || (name.length === 3 && day.startsWith(name)))
  if (index >= 0) return index
  const near = nearestWord(name, weekdays)
  throw new WhenProblem(`"${name}" is no day of the week${near === undefined ? '' : `; did you mean "${near}"?`}`)
}

function notUnderstood(words: string): string {
  const [first = ''] = words.split(' ')
  const usual: Readonly<Record<string, string>> = {
    hourly: 'hourly',
    daily: 'daily at 02:00',
    weekly: 'weekly on sunday at 03:00',
    weekdays: 'weekdays at 22:30',
    monthly: 'monthly on 1 at 04:00',
    every: 'every 6 hours',
  }
  const meant = usual[nearestWord(first, Object.keys(usual)) ?? '']
  return meant === undefined
    ? `"${words}" is not understood; write ${examples}`
    : `"${words}" is not understood; did you mean "${meant}"?`
}
