/**
 * Kills pgrevive and looks at what is left.
 *
 * npm run test:kill [-- --times 200] [--seed N]: at random moments, from outside, while the database is written to.
 * npm run test:kill -- --every-step [--command restore]: at every durable step of every command, one after the other; an hour.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { KillBench } from '../src/cli/kills/test-kill-bench.ts'
import { killAtRandom } from '../src/cli/kills/test-random-kills.ts'
import { scenarios } from '../src/cli/kills/test-scenarios.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    'every-step': { type: 'boolean', default: false },
    command: { type: 'string' },
  },
})
const startedAt = performance.now()
const tell = (line: string) =>
  console.log(`${String(Math.round((performance.now() - startedAt) / 1000)).padStart(5)} s  ${line}`)

async function killAtEveryStep(): Promise<number> {
  await using bench = await KillBench.start()
  let failures = 0
  for (const scenario of scenarios.filter(({ name }) => values.command === undefined || name === values.command)) {
    let nth = 1
    for (; ; nth++) {
      try {
        if ((await bench.killAt(scenario, nth)) === undefined) break
      } catch (error) {
        failures++
        console.error(error)
      }
    }
    tell(`${scenario.name}: killed at each of ${nth - 1} steps, ${failures} failures so far`)
  }
  return failures
}

async function killAtRandomMoments(): Promise<number> {
  const seed = Number(values.seed)
  console.log(`seed ${seed}`)
  const { runs, backups, leftovers, violations } = await killAtRandom({ times: Number(values.times), seed, tell })
  const killed = runs.reduce((sum, run) => sum + run.killed, 0)
  console.log()
  for (const run of runs) {
    console.log(
      `${run.name.padEnd(40)} ${String(run.killed).padStart(4)} killed ${String(run.ended).padStart(4)} ended`,
    )
  }
  console.log(
    `\n${killed} killed; ${backups} backups, each proven; ${leftovers} databases and directories were left and removed; ` +
      `${violations.length} violations (seed ${seed})`,
  )
  for (const violation of violations) console.log(`VIOLATION ${violation}`)
  return violations.length
}

process.exitCode = (await (values['every-step'] ? killAtEveryStep() : killAtRandomMoments())) === 0 ? 0 : 1
