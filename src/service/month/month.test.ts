import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { month } from './test-month.ts'

describe('a service that is left alone', { timeout: 600_000 }, () => {
  it('runs each schedule, and tells each failure once, also in the night in which the clock is put back', async () => {
    const { alerts, notices } = await month({
      start: new Date('2026-10-23T00:00:00Z'),
      days: 6,
      injections: new Map([
        [0, 'repository gone'],
        [2, 'hook fails'],
        [3, 'service down'],
      ]),
      tell: () => undefined,
    })
    // of the service that was down: two schedules, and an objective
    assert.deepEqual([alerts, notices], [5, 10])
  })
})
