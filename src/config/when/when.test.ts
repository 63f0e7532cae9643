import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { meaningOf } from './meaning.ts'
import { WhenProblem, parseWhen } from './parse-when.ts'
import { type When, newestDue, nextTimes } from './times.ts'

const utc = { timeZone: 'UTC', jitterMs: 0, seed: 'x' }
const berlin = { ...utc, timeZone: 'Europe/Berlin' }

function problem(text: string): string {
  try {
    parseWhen(text)
  } catch (error) {
    assert.ok(error instanceof WhenProblem)
    return error.message
  }
  assert.fail(`"${text}" has no problem`)
}

function times(text: string, { timeZone }: { timeZone: string }, after: string, count: number): string[] {
  const when = { ...utc, timeZone, cron: parseWhen(text) }
  return nextTimes(when, new Date(after), count).map((it) => it.toISOString().slice(0, 16))
}

describe('the time of a schedule', () => {
  for (const [text, cron, meaning] of [
    ['hourly', '0 * * * *', 'every hour at :00 (UTC)'],
    ['Every  6 hours', '0 */6 * * *', 'every 6 hours (UTC)'],
    ['every 24 hours', '0 0 * * *', 'every day at 00:00 (UTC)'],
    ['every 15 minutes', '*/15 * * * *', 'every 15 minutes (UTC)'],
    ['daily at 02:00', '0 2 * * *', 'every day at 02:00 (UTC)'],
    ['weekly on sunday at 03:00', '0 3 * * 0', 'every Sunday at 03:00 (UTC)'],
    ['weekly on mon and thursday at 3:05', '5 3 * * 1,4', 'every Monday and Thursday at 03:05 (UTC)'],
    ['weekdays at 22:30', '30 22 * * 1-5', 'Monday to Friday at 22:30 (UTC)'],
    ['monthly on 1 at 04:00', '0 4 1 * *', 'on day 1 of each month at 04:00 (UTC)'],
    ['monthly on last at 04:00', '0 4 L * *', 'on the last day of each month at 04:00 (UTC)'],
    ['15 2,14 * * *', '15 2,14 * * *', 'every day at 02:15 and 14:15 (UTC)'],
    ['0 4 1 1,7 *', '0 4 1 1,7 *', 'on day 1 of January and July at 04:00 (UTC)'],
    ['*/7 3-5 * * MON#2', '*/7 3-5 * * MON#2', 'cron "*/7 3-5 * * MON#2" (UTC)'],
  ] as const) {
    it(`is understood: ${text}`, () => {
      assert.equal(parseWhen(text), cron)
      assert.equal(meaningOf({ ...utc, cron }), meaning)
    })
  }

  it('says what would do when it is not understood', () => {
    assert.match(problem('dayly'), /did you mean "daily at 02:00"/)
    assert.match(problem('weekly on sundey at 03:00'), /"sundey" is no day of the week; did you mean "sunday"/)
    assert.match(problem('daily at 24:00'), /24:00 is no time of the day/)
    assert.match(problem('every 5 hours'), /every 4 hours would do/)
    assert.match(problem('every 45 minutes'), /60 minutes are no whole number of 45 minutes; every 30 minutes would do/)
    assert.match(problem('monthly on 32 at 01:00'), /no month has a day 32/)
    assert.match(problem('0 25 * * *'), /Invalid value for hour/)
    assert.match(problem('0 4 31 2 *'), /never comes/)
    assert.match(problem('0 0 4 * * *'), /is not understood/)
    assert.match(problem('whenever it rains a lot'), /write "daily at 02:00"/)
    assert.match(problem(''), /is not understood/)
  })

  it('is that of its time zone', () => {
    assert.deepEqual(times('daily at 02:00', berlin, '2026-01-10T00:00:00Z', 2), [
      '2026-01-10T01:00',
      '2026-01-11T01:00',
    ])
    assert.deepEqual(times('daily at 02:00', berlin, '2026-07-10T00:00:00Z', 1), ['2026-07-11T00:00'])
    assert.deepEqual(times('daily at 00:30', { timeZone: 'Asia/Kolkata' }, '2026-01-10T00:00:00Z', 1), [
      '2026-01-10T19:00',
    ])
  })

  it('comes right after the gap where the clock is put forward', () => {
    assert.deepEqual(times('daily at 02:30', berlin, '2026-03-28T12:00:00Z', 2), [
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ])
    // in the middle of the night in Lord Howe the clock goes by half an hour
    assert.deepEqual(times('daily at 02:15', { timeZone: 'Australia/Lord_Howe' }, '2026-10-03T00:00:00Z', 1), [
      '2026-10-03T15:30',
    ])
  })

  it('comes once where the clock is put back', () => {
    assert.deepEqual(times('daily at 02:30', berlin, '2026-10-24T12:00:00Z', 2), [
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ])
    assert.deepEqual(times('every 2 hours', berlin, '2026-10-24T21:59:00Z', 3), [
      '2026-10-24T22:00',
      '2026-10-25T00:00',
      '2026-10-25T03:00',
    ])
  })

  it('goes by the time that passes where it comes in every hour', () => {
    assert.deepEqual(times('hourly', berlin, '2026-10-24T23:59:00Z', 3), [
      '2026-10-25T00:00',
      '2026-10-25T01:00',
      '2026-10-25T02:00',
    ])
    assert.deepEqual(times('hourly', berlin, '2026-03-29T00:00:00Z', 2), ['2026-03-29T01:00', '2026-03-29T02:00'])
  })

  it('is there on every local day of a year, in zones with odd rules', () => {
    for (const [timeZone, from] of [
      ['America/Sao_Paulo', '2018-01-02T12:00:00Z'],
      ['Africa/Cairo', '2024-01-02T12:00:00Z'],
      ['Asia/Beirut', '2024-01-02T12:00:00Z'],
      ['America/Santiago', '2024-01-02T12:00:00Z'],
    ] as const) {
      const date = new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short' })
      for (const text of ['daily at 00:00', 'daily at 00:30', 'daily at 02:30', 'daily at 23:59']) {
        const days = nextTimes({ ...utc, timeZone, cron: parseWhen(text) }, new Date(from), 365)
        const seen = new Set(days.map((day) => date.format(day)))
        assert.equal(seen.size, 365, `${text} in ${timeZone}`)
      }
    }
  })

  it('comes later by a jitter that is always the same for one time of one schedule', () => {
    const when: When = { ...utc, cron: '0 2 * * *', jitterMs: 600_000 }
    const after = new Date('2026-01-10T00:00:00Z')
    const first = nextTimes(when, after, 50)
    assert.deepEqual(nextTimes(when, after, 50), first)
    const late = first.map((time) => time.getTime() - Date.parse(`${time.toISOString().slice(0, 10)}T02:00:00Z`))
    assert.ok(late.every((ms) => ms >= 0 && ms < 600_000))
    assert.ok(new Set(late).size > 40, 'they differ')
    assert.notDeepEqual(nextTimes({ ...when, seed: 'y' }, after, 50), first)
    // seen from in between nothing is left out, and nothing comes twice
    const [one, two] = first
    assert.ok(one && two)
    assert.deepEqual(nextTimes(when, new Date(one.getTime() - 1), 1), [one])
    assert.deepEqual(nextTimes(when, one, 1), [two])
  })

  it('is due once, as its newest time', () => {
    const daily: When = { ...utc, cron: '0 2 * * *' }
    const due = (after: string, until: string, when: When = daily) => {
      const found = newestDue(when, new Date(after), new Date(until))
      return found && [found.at.toISOString(), found.count]
    }
    assert.equal(due('2026-01-10T02:00:00Z', '2026-01-11T01:59:59Z'), undefined)
    assert.deepEqual(due('2026-01-10T02:00:00Z', '2026-01-11T02:00:00Z'), ['2026-01-11T02:00:00.000Z', 1])
    assert.deepEqual(due('2026-01-10T02:00:00Z', '2026-01-14T12:00:00Z'), ['2026-01-14T02:00:00.000Z', 4])
    assert.deepEqual(due('2000-01-01T00:00:00Z', '2026-01-01T00:00:30Z', { ...utc, cron: '* * * * *' }), [
      '2026-01-01T00:00:00.000Z',
      1000,
    ])
    assert.equal(due('2026-01-14T12:00:00Z', '2026-01-10T02:00:00Z'), undefined)
    const jittered = { ...daily, jitterMs: 3_600_000 }
    const [first] = nextTimes(jittered, new Date('2026-01-10T00:00:00Z'), 1)
    assert.ok(first && first > new Date('2026-01-10T02:00:00Z'))
    assert.equal(due('2026-01-10T00:00:00Z', new Date(first.getTime() - 1).toISOString(), jittered), undefined)
    assert.deepEqual(due('2026-01-10T00:00:00Z', first.toISOString(), jittered), [first.toISOString(), 1])
  })
})
