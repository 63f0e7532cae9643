import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ulid } from 'ulid'
import { openBrowser, openPage } from '../../dashboard/test/browser.ts'
import { type RunningService, startService } from '../../dashboard/test/dashboard-service.ts'
import { fillAccount } from '../../dashboard/test/story.ts'
import { backupRecordSchema } from '../../src/repository/backups/backup-record.ts'
import type { JsonValue } from '../../src/repository/objects/json-value.ts'
import { putRecord } from '../../src/repository/sessions/stored-record.ts'
import { RunTable } from '../../src/service/runs/run-table.ts'
import { State } from '../../src/service/state/state.ts'
import { type Workplace, openWorkRepository, prepareWorkplace, travel } from './workplace.ts'

const root = join(import.meta.dirname, '../..')
const dayMs = 24 * 3600 * 1000
const backupsEach = 30
const asked = 30

export interface ServiceMeasurement {
  readonly databases: number
  readonly backups: number
  readonly runs: number
  /** Of 30 answers each, the middle one: the front page's, and the health check's, which reads nothing. */
  readonly overviewMs: number
  readonly floorMs: number
  /** Until every database stands on the front page: opened for the first time, and again. */
  readonly firstScreenMs: number
  readonly screenMs: number
  /** Resident memory of the service, of the package as it is published: after its start, and after all of this. */
  readonly startedBytes: number
  readonly idleBytes: number
}

/** A service that has seen much, and does nothing right now. Wants Chromium. */
export async function measureService(databases: number, runs: number): Promise<ServiceMeasurement> {
  await using bench = await prepareWorkplace(travel(0.05))
  const names = Array.from({ length: databases }, (_, index) => `shop_${String(index + 1).padStart(3, '0')}`)
  await bench.run('$PGREVIVE init --quiet && $PGREVIVE backup --quiet')
  await writeFile(join(bench.folder, 'pgrevive.yaml'), configuration(names))
  process.stderr.write(`${databases * backupsEach} backups and ${runs} runs …\n`)
  await fillRepository(bench, names)
  fillState(join(bench.folder, 'state'), names, runs)
  const program = await publish(bench)
  process.stderr.write('the service …\n')
  const { PGREVIVE_REPO: _, ...environment } = bench.environment
  await using service = await startService({ program, directory: bench.folder, environment })
  return { databases, backups: databases * backupsEach, runs, ...(await measureAnswers(service, databases)) }
}

const configuration = (names: readonly string[]) => `
repositories: { local: ./repository }
databases:
${names.map((name) => `  ${name}: { url: postgres:///${name} }`).join('\n')}
objectives: { rpo: 26h, prove_every: 8d, restore_within: 30m }
schedules:
  nightly: { command: backup, when: daily at 02:00 }
  drill: { command: prove, when: weekly on sunday at 04:00 }
`

/** One backup that is real, whose record is written again under other names, ids and times, a day apart; some are proven. */
async function fillRepository(bench: Workplace, names: readonly string[]): Promise<void> {
  const repository = await openWorkRepository(bench.folder)
  const [record] = await Array.fromAsync(repository.records())
  if (record?.state !== 'committed') throw new Error('the backup is not there')
  const real = backupRecordSchema.parse(record.body)
  const now = Date.now() - 3600_000
  for (const database of names) {
    for (let age = 0; age < backupsEach; age++) {
      const at = new Date(now - age * dayMs).toISOString()
      const backup = ulid(now - age * dayMs)
      const totals = { ...real.totals, bytes: real.totals.bytes * (100 - age) }
      const body = { ...real, database, totals, startedAt: at, finishedAt: at, snapshot: { ...real.snapshot, at } }
      await putRecord(repository.context, { id: backup, checkedAt: record.checkedAt, body: body as JsonValue }) // as: it came out of JSON
      if (age % 7 === 0) await repository.saveProof(proofOf(backup, at))
    }
  }
}

function proofOf(backup: string, at: string): JsonValue {
  const compared = {
    tables: 11,
    rows: 1000,
    bytes: 1e6,
    sequences: 5,
    largeObjects: 0,
    extensions: 1,
    schema: true,
    assertions: 0,
  }
  const times = { startedAt: at, finishedAt: new Date(Date.parse(at) + 10_000).toISOString() }
  const facts = { outcome: 'proven', on: 'PostgreSQL 15', compared, differences: [], notes: [] }
  return { format: 1, backup, tool: 'pgrevive', ...times, ...facts }
}

/** A backup of each database each night, into the past. */
function fillState(directory: string, names: readonly string[], runs: number): void {
  using state = State.open(directory)
  const table = new RunTable(state)
  const now = Date.now() - 3600_000
  state.transaction(() => {
    for (let index = runs - 1; index >= 0; index--) {
      const name = names[index % names.length] ?? ''
      const at = new Date(now - Math.floor(index / names.length) * dayMs)
      const wanted = {
        command: 'backup',
        arguments: [name],
        databases: [name],
        repositories: ['local'],
        cause: 'request',
      } as const
      const { id } = table.insert(wanted, { state: 'waiting', servers: [], now: at })
      const [startedAt, endedAt] = [at.toISOString(), new Date(at.getTime() + 60_000).toISOString()]
      const isFailed = index % 97 === 0
      table.set(id, {
        state: isFailed ? 'failed' : 'done',
        started_at: startedAt,
        ended_at: endedAt,
        exit_code: isFailed ? 4 : 0,
        error: isFailed ? JSON.stringify({ code: 'connection-refused', message: 'nothing listens there' }) : null,
      })
    }
  })
}

/** The package as it would be installed: a program without sources beside it. Returns its path. */
async function publish({ folder, run }: Workplace): Promise<string> {
  await run(`(cd ${root} && npm run build --silent)`)
  const installed = join(folder, 'installed')
  await mkdir(installed)
  for (const part of ['bin', 'dist', 'package.json']) {
    await cp(join(root, part), join(installed, part), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(installed, 'node_modules'))
  return join(installed, 'bin/pgrevive.js')
}

async function measureAnswers(
  { url, link, pid }: RunningService,
  databases: number,
): Promise<Omit<ServiceMeasurement, 'databases' | 'backups' | 'runs'>> {
  const residentBytes = () => readResident(pid)
  await using browser = await openBrowser()
  const { page } = await openPage(browser)
  await fillAccount(page, link)
  await page.waitForURL(({ pathname }) => pathname !== '/setup')
  const isShown = () => page.evaluate<number>(untilShown(databases))
  await page.goto(url)
  await isShown()
  await delay(60_000) // what it does at its start is done
  const startedBytes = await residentBytes()

  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
  const overviewMs = await middleOf(() => ask(`${url}/api/overview`, cookie))
  const floorMs = await middleOf(() => ask(`${url}/healthz`, cookie))
  const open = async () => {
    await page.goto(url, { waitUntil: 'commit' })
    return isShown()
  }
  const session = await page.context().newCDPSession(page)
  await session.send('Network.clearBrowserCache')
  const firstScreenMs = await open()
  const screenMs = await middleOf(open, 10)
  await browser.close()
  await delay(130_000) // it gives back what it does not need each minute
  return { overviewMs, floorMs, firstScreenMs, screenMs, startedBytes, idleBytes: await residentBytes() }
}

/** In a page: the milliseconds from its first request until all of them are in it, and painted: that is two frames later. */
function untilShown(databases: number): string {
  return `new Promise((done) => {
    const isThere = () => document.querySelectorAll('a[href^="/databases/shop_"]').length >= ${databases}
    const look = () => requestAnimationFrame(isThere() ? painted : look)
    const painted = () => requestAnimationFrame(() => done(performance.now()))
    look()
  })`
}

async function readResident(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

async function ask(url: string, cookie: string): Promise<number> {
  const began = performance.now()
  const answer = await fetch(url, { headers: { cookie } })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  await answer.arrayBuffer()
  return performance.now() - began
}

async function middleOf(once: () => Promise<number>, times = asked): Promise<number> {
  const took: number[] = []
  for (let count = 0; count < times; count++) took.push(await once())
  return took.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? NaN
}
