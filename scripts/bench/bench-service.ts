/**
 * A service with much in its state, alone: npm run bench:service [-- --databases 200 --runs 50000]. npm run bench has it,
 * too, and writes it down.
 */
import { parseArgs } from 'node:util'
import { measureService } from './service.ts'

const { values } = parseArgs({
  options: { databases: { type: 'string', default: '200' }, runs: { type: 'string', default: '50000' } },
})
console.log(await measureService(Number(values.databases), Number(values.runs)))
