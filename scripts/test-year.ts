/**
 * A year of nightly backups, forgetting and prunes of a real database, on a store whose clock goes on by a day at once: what remains is
 * what the policy says, every backup that remains proves, and the bytes freed are those that are gone from the disk.
 *
 * npm run test:year [-- --days 365]: ten minutes.
 */
import { parseArgs } from 'node:util'
import { year } from '../src/cli/year/test-year.ts'

const { values } = parseArgs({ options: { days: { type: 'string', default: '365' } } })
const policy = { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 }
console.log(await year({ days: Number(values.days), policy, tell: console.log }))
