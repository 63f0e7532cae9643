/**
 * Kills restores in place, and their server, at random moments while clients write, and looks at what is left.
 *
 * npm run test:swaps [-- --times 100] [--seed N]
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { killSwaps } from '../src/cli/kills/test-swap-kills.ts'

const { values } = parseArgs({
  options: { times: { type: 'string', default: '100' }, seed: { type: 'string', default: String(randomInt(2 ** 31)) } },
})
const startedAt = performance.now()
const tell = (line: string) =>
  console.log(`${String(Math.round((performance.now() - startedAt) / 1000)).padStart(5)} s  ${line}`)
console.log(`seed ${values.seed}`)
const { violations, ...counts } = await killSwaps({ times: Number(values.times), seed: Number(values.seed), tell })
console.log(counts)
console.log(`${violations.length} violations (seed ${values.seed})`)
for (const violation of violations) console.log(`VIOLATION ${violation}`)
process.exitCode = violations.length === 0 ? 0 : 1
