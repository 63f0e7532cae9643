import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { mutants } from './test-mutants.ts'

const script = fileURLToPath(new URL('../../../scripts/test-simulation.ts', import.meta.url))
const seed = Number(process.env['PGREVIVE_SIMULATION_SEED'] ?? randomInt(2 ** 31))
const schedules = 2000
/** Each of these is found out in one of some 20 to 200 schedules, so that this many miss it once in 10^10 runs. */
const foundSoon = mutants.filter((mutant) => mutant !== 'tombstones revoked by a repair')
const mostForMutants = 5000

const totalsSchema = z.object({
  committed: z.int(),
  refused: z.int(),
  rescuedPacks: z.int(),
  removedPacks: z.int(),
  repairs: z.int(),
})

/** In a process of its own: the test runner watches every promise, which takes as long as all else. Rejects unless it succeeds. */
async function simulate(...args: readonly string[]): Promise<z.output<typeof totalsSchema>> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--seed', String(seed), ...args])
  return totalsSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
}

describe(`sessions, prunes and forgetting at once, on machines that stall and die (seed ${seed})`, () => {
  it(`lose no backup that counts, in ${schedules} schedules`, async () => {
    const totals = await simulate('--times', String(schedules))
    for (const [what, count] of Object.entries(totals)) assert.ok(count > schedules / 50, `${count} ${what}`)
  })

  for (const mutant of foundSoon) {
    it(`would lose one with ${mutant}`, async () => {
      await simulate('--times', String(mostForMutants), '--mutant', mutant)
    })
  }
})
