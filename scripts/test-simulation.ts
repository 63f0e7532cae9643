/**
 * Runs schedules of sessions, prunes, repairs and forgetting on a simulated store, with stalls, deaths, wrong clocks, replies
 * that are lost or come twice, and damage, and looks for a backup that was lost.
 *
 * npm run test:simulation [-- --times 2000] [--seed N] [--mutant 'no grace']
 *
 * npm run test:simulation -- --seed N --trace: all that happens in that one schedule.
 *
 * The nth schedule of a seed is the first of seed + n - 1. With a mutant it ends with the first loss, which is a success then.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { mutants } from '../src/repository/simulation/test-mutants.ts'
import { runSchedule } from '../src/repository/simulation/test-schedule.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
})
const mutant = mutants.find((name) => name === values.mutant)
if (values.mutant !== undefined && mutant === undefined) throw new Error(`mutants: ${mutants.join(', ')}`)
console.log(`seed ${values.seed}${mutant === undefined ? '' : `, ${mutant}`}`)
const totals = {
  schedules: 0,
  requests: 0,
  committed: 0,
  refused: 0,
  rescuedPacks: 0,
  removedPacks: 0,
  repairs: 0,
  violations: 0,
}
for (; totals.schedules < (values.trace ? 1 : Number(values.times)); totals.schedules++) {
  const seed = Number(values.seed) + totals.schedules
  const { violations, ...counts } = await runSchedule(seed, mutant, values.trace ? console.log : undefined)
  for (const what of Object.keys(counts) as (keyof typeof counts)[]) totals[what] += counts[what]
  totals.violations += violations.length
  for (const { backup, problem } of violations) console.log(`VIOLATION seed ${seed}: backup ${backup}: ${problem}`)
  if (mutant !== undefined && violations.length > 0) break
}
console.log(JSON.stringify(totals))
process.exitCode = totals.violations > 0 === (mutant !== undefined) ? 0 : 1
