import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { type Mutant, runSchedule } from './test-schedule.ts'

const seed = Number(process.env['PGREVIVE_SIMULATION_SEED'] ?? randomInt(2 ** 31))

// Thousands of schedules are the work of `npm run test:simulation`.

describe(`sessions, prunes and forgetting at once, on machines that stall and die (seed ${seed})`, () => {
  it('lose no backup that counts', async () => {
    for (let schedule = 0; schedule < 3; schedule++) {
      const { violations, committed, removedPacks } = await runSchedule(seed + schedule)
      assert.deepEqual(violations, [], `seed ${seed + schedule}`)
      assert.ok(committed > 0 && removedPacks > 0)
    }
  })

  // the seeds are those that find out soonest as the code is now; others do, too
  const mutants: readonly (readonly [Mutant, firstSeed: number])[] = [
    ['no commit check', 2],
    ['no grace', 2],
    ['no second look at the records', 2],
  ]
  for (const [mutant, firstSeed] of mutants) {
    it(`would lose one with ${mutant}`, async () => {
      for (let schedule = 0; schedule < 30; schedule++) {
        if ((await runSchedule(firstSeed + schedule, mutant)).violations.length > 0) return
      }
      assert.fail('the simulation does not find out')
    })
  }
})
