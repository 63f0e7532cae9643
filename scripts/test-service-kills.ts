/**
 * Kills the service during runs, starts it again, and looks whether a run was lost or doubled.
 *
 * npm run test:service-kills [-- --times 50] [--seed N]
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { randomNumbers } from '../src/core/test-random-numbers.ts'
import { killService } from '../src/service/kills/test-service-kills.ts'

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})
console.log(`seed ${values.seed}`)
const { killed, stopped, requested, states, backups } = await killService({
  times: Number(values.times),
  random: randomNumbers(Number(values.seed)),
  tell: console.log,
})
const counts = Object.entries(states).map(([state, count]) => `${count} ${state}`)
console.log(
  `${killed} times killed, ${stopped} times stopped; of ${requested} runs none was lost or doubled (${counts.join(', ')}); ` +
    `no process is left, the state is intact, ${backups} backups are whole (seed ${values.seed})`,
)
