import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { killSwaps } from './test-swap-kills.ts'

// A hundred are the work of `npm run test:swaps`.

describe('a restore in place that is killed, or whose server is', () => {
  it('leaves a whole database under the name, can be resumed, undone and finished, and loses nothing', async () => {
    const { violations, ...counts } = await killSwaps({ times: 4, seed: 7, tell: () => undefined })
    assert.deepEqual(violations, [])
    assert.equal(counts.killed + counts.crashed, 4)
    assert.ok(counts.committed > 0)
  })
})
