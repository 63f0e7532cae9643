/**
 * A month of a service with a real PostgreSQL and a clock of its own: backups, drills, forget, prune and checks by their
 * schedules, in which the server, the repository, the disk, a hook and the service itself fail, and clocks change.
 *
 * npm run test:month [-- --days 31]: ten minutes.
 */
import { parseArgs } from 'node:util'
import { type Injection, month } from '../src/service/month/test-month.ts'

const { values } = parseArgs({ options: { days: { type: 'string', default: '31' } } })
const injections = new Map<number, Injection>([
  [2, 'server down'],
  [5, 'repository gone'],
  [8, 'disk refuses'],
  [11, 'hook fails'],
  [14, 'service down'],
  [20, 'clock set back'],
  [27, 'server down'],
])
const days = Number(values.days)
// the last days are for what is to be over by then
const fitting = new Map([...injections].filter(([day]) => day < days - 3))
const start = new Date('2026-10-01T00:00:00Z')
console.log(await month({ start, days, injections: fitting, tell: console.log }))
