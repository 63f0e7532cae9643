/**
 * Two backups and two prunes at once in endless loops on one repository, killed at random, of a database that changes
 * meanwhile; a day of the protocol lasts twenty seconds. No backup that counts may ever fail a check, and the newest prove.
 *
 * npm run test:storm [-- --minutes 10] [--seed N] [--store directory | s3]: for S3 the Ceph of ../shared is started.
 */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { storm } from '../src/cli/kills/test-storm.ts'
import { TestS3Server } from '../src/store/s3/test-s3-server.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    store: { type: 'string', default: 'directory' },
  },
})
const [seed, seconds] = [Number(values.seed), Number(values.minutes) * 60]
console.log(`seed ${seed}`)
const startedAt = performance.now()
const tell = (line: string) =>
  console.log(`${String(Math.round((performance.now() - startedAt) / 1000)).padStart(5)} s  ${line}`)

async function inDirectory() {
  const folder = await mkdtemp(join(tmpdir(), 'pgrevive-storm-'))
  const outcome = await storm({ seconds, seed, tell, lifeSeconds: 4, place: join(folder, 'repository') })
  await rm(folder, { recursive: true }) // what is lost stays to be looked at
  return outcome
}

async function onS3() {
  const server = await TestS3Server.start()
  if (typeof server === 'string') throw new Error(server)
  await using _ = server
  Object.assign(process.env, server.credentials('owner'))
  const place = `s3://${await server.createBucket()}/storm?endpoint=${server.endpoint}`
  return await storm({ seconds, seed, tell, lifeSeconds: 12, place })
}

console.log(await (values.store === 's3' ? onS3() : inDirectory()))
