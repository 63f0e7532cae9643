/**
 * Runs schedules of sessions, prunes and forgetting on a simulated store, with stalls, deaths, wrong clocks, and replies that
 * are lost or come twice, and looks for a backup that was lost.
 *
 * npm run test:simulation [-- --schedules 2000] [--seed N] [--mutant 'no grace']
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type Mutant, runSchedule } from '../src/repository/simulation/test-schedule.ts'

const mutants: readonly Mutant[] = [
  'no commit check',
  'no grace',
  'no second look at the records',
  'tombstones revoked',
]

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    mutant: { type: 'string' },
  },
})
const mutant = mutants.find((name) => name === values.mutant)
if (values.mutant !== undefined && mutant === undefined) throw new Error(`mutants: ${mutants.join(', ')}`)
console.log(`seed ${values.seed}${mutant === undefined ? '' : `, ${mutant}`}`)
const totals = { schedules: 0, requests: 0, committed: 0, refused: 0, rescuedPacks: 0, removedPacks: 0, violations: 0 }
for (; totals.schedules < Number(values.schedules); totals.schedules++) {
  const seed = Number(values.seed) + totals.schedules
  const { violations, ...counts } = await runSchedule(seed, mutant)
  for (const what of ['requests', 'committed', 'refused', 'rescuedPacks', 'removedPacks'] as const)
    totals[what] += counts[what]
  totals.violations += violations.length
  for (const { backup, problem } of violations) console.log(`VIOLATION seed ${seed}: backup ${backup}: ${problem}`)
  if (mutant !== undefined && violations.length > 0) break
}
console.log(totals)
process.exitCode = totals.violations === 0 ? 0 : 1
