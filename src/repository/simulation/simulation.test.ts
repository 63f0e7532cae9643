import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { mutants } from './test-mutants.ts'
import { runSchedule } from './test-schedule.ts'

const seed = Number(process.env['PGREVIVE_SIMULATION_SEED'] ?? randomInt(2 ** 31))
const schedules = 1000
/** Each of these is found out in one of 25 schedules, so that this many miss it once in 10^10 runs. */
const foundSoon = mutants.filter((mutant) => mutant !== 'tombstones revoked by a repair')
const mostForMutants = 600

describe(`sessions, prunes and forgetting at once, on machines that stall and die (seed ${seed})`, () => {
  it(`lose no backup that counts, in ${schedules} schedules`, async () => {
    const totals = { committed: 0, refused: 0, rescuedPacks: 0, removedPacks: 0, repairs: 0 }
    for (let schedule = 0; schedule < schedules; schedule++) {
      const { violations, ...outcome } = await runSchedule(seed + schedule)
      assert.deepEqual(violations, [], `seed ${seed + schedule}`)
      for (const what of Object.keys(totals) as (keyof typeof totals)[]) totals[what] += outcome[what]
    }
    for (const [what, count] of Object.entries(totals)) assert.ok(count > schedules / 50, `${count} ${what}`)
  })

  for (const mutant of foundSoon) {
    it(`would lose one with ${mutant}`, async () => {
      for (let schedule = 0; schedule < mostForMutants; schedule++) {
        if ((await runSchedule(seed + schedule, mutant)).violations.length > 0) return
      }
      assert.fail('the simulation does not find out')
    })
  }
})
