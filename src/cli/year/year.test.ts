import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { year } from './test-year.ts'

// A whole one is the work of `npm run test:year`.

describe('nights of backup, forget and prune', { timeout: 300_000 }, () => {
  it('leave what the policy says, each proven, and free what they say', async () => {
    const policy = { keepDaily: 3, keepWeekly: 2, keepMonthly: 1 }
    const { kept, proven, freedBytes } = await year({ days: 12, policy, tell: () => undefined })
    assert.ok(kept >= 3 && proven === kept && freedBytes > 0)
  })
})
