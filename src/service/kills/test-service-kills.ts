import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { processStartTime } from '../../core/process-start-time.ts'
import { loadSql } from '../../postgres/server/test-server.ts'
import { type RunRow, runColumns, runRow } from '../runs/run-row.ts'
import type { WantedRun } from '../runs/wanted-run.ts'
import { ServiceBench, until } from '../test-service-bench.ts'

const program = fileURLToPath(new URL('./test-killable-service.ts', import.meta.url))
/** Late enough for runs to be at work, early enough for them not to be done. */
const longestLifeMs = 3000

export interface ServiceKillsSummary {
  readonly killed: number
  readonly stopped: number
  readonly requested: number
  /** Rows by their state. */
  readonly states: Readonly<Record<string, number>>
  readonly backups: number
}

interface LivingService {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly answers: AsyncIterator<string>
  /** All that it logs. */
  readonly said: Promise<string>
}

/**
 * Ends the service by SIGKILL, and now and then by SIGTERM, while it has runs at work, and starts it again. Throws if in the
 * end a run was lost or doubled, a process is left, or the state or the repository is not whole.
 */
export async function killService(options: {
  readonly times: number
  /** From 0 to 1. */
  readonly random: () => number
  readonly tell: (line: string) => void
}): Promise<ServiceKillsSummary> {
  const { times, random, tell } = options
  await using bench = await ServiceBench.start()
  await bench.configure('service: { at_once: 2, at_once_per_server: 2, stop_within: 1s }')
  for (const name of ['shop', 'app']) {
    const rows = 'SELECT id, repeat(md5(id::text), 20) FROM generate_series(1, 30000) id'
    await loadSql(bench.target(name), `CREATE TABLE more AS ${rows}`)
    bench.pgrevive('backup', name)
  }
  const requested: string[] = []
  let stopped = 0
  for (let time = 0; time < times; time++) {
    const service = await startService(bench)
    for (const wanted of choose(random, time)) requested.push(await request(service, wanted))
    await delay(random() * longestLifeMs)
    const signal = random() < 0.1 ? 'SIGTERM' : 'SIGKILL'
    if (signal === 'SIGTERM') stopped++
    await end(service, signal)
    if (time % 10 === 9) tell(`${time + 1} times ended, ${requested.length} runs were asked for`)
  }
  await drain(bench)
  const rows = rowsOf(bench)
  assertNoneLost(requested, rows)
  assertNeverTogether(rows)
  await assertNothingLeft(rows)
  assertWhole(bench)
  return {
    killed: times - stopped,
    stopped,
    requested: requested.length,
    states: countBy(rows),
    backups: assertBackups(bench, rows),
  }
}

/** Lets the service do what is left. */
async function drain(bench: ServiceBench): Promise<void> {
  const service = await startService(bench)
  try {
    const isOver = () => rowsOf(bench).every(({ state }) => state !== 'waiting' && state !== 'running')
    await until(isOver, 900_000)
  } finally {
    await end(service, 'SIGTERM')
  }
}

function countBy(rows: readonly RunRow[]): Record<string, number> {
  const groups = Map.groupBy(rows, ({ state }) => state)
  return Object.fromEntries(Array.from(groups, ([state, { length }]) => [state, length]))
}

function choose(random: () => number, time: number): WantedRun[] {
  const database = random() < 0.5 ? 'shop' : 'app'
  const common = { databases: [database], repositories: ['local'], cause: 'request' } as const
  const backup: WantedRun = { ...common, command: 'backup', arguments: ['--', database] }
  const prove: WantedRun = { ...common, command: 'prove', arguments: [`--database=${database}`] }
  const check: WantedRun = { ...common, command: 'check', arguments: ['--level=structure'] }
  const due = { schedule: 'nightly', cause: 'schedule', dueAt: new Date(Date.UTC(2026, 0, 1 + time)) } as const
  const chosen = [backup, prove, check].filter(() => random() < 0.5)
  return [...chosen, { ...backup, arguments: [`--comment=${time}`, '--', database], ...due }]
}

async function startService(bench: ServiceBench): Promise<LivingService> {
  const child = spawn(process.execPath, [program, bench.configFile, bench.path('state')], {
    cwd: bench.directory,
    env: { ...bench.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const said = text(child.stderr)
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await answers.next()
  assert.equal(first.value, 'ready', await Promise.race([said, delay(1000, 'it said nothing')]))
  return { child, answers, said }
}

async function request({ child, answers, said }: LivingService, wanted: WantedRun): Promise<string> {
  child.stdin.write(`${JSON.stringify(wanted)}\n`)
  const { value, done } = await answers.next()
  if (done) assert.fail(await said)
  return String(value)
}

async function end({ child }: LivingService, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** Of all runs that were asked for, not of those that only list. */
function rowsOf(bench: ServiceBench): RunRow[] {
  using state = new DatabaseSync(bench.path('state', 'state.sqlite'), { readOnly: true, timeout: 5000 })
  return state
    .prepare(`select ${runColumns} from run where command <> 'list' order by id`)
    .all()
    .map((row) => runRow.parse(row))
}

/** Each run that was asked for came to one end, or was begun again, once for each time it was interrupted. */
function assertNoneLost(requested: readonly string[], rows: readonly RunRow[]): void {
  const origins = rows.filter(({ again_of }) => again_of === null)
  assert.deepEqual(
    origins.map(({ id }) => id).toSorted(),
    [...new Set(requested)].toSorted(),
    'runs are those asked for',
  )
  const followers = Map.groupBy(rows, ({ again_of }) => again_of)
  for (const origin of origins) {
    let times = 0
    let row = origin
    while (row.state === 'interrupted') {
      const [next, ...doubles] = followers.get(row.id) ?? []
      assert.deepEqual(doubles, [], `run ${row.id} is doubled`)
      if (!next) break
      times++
      row = next
    }
    const isOver = row.state === 'done' || (row.state === 'interrupted' && times === 2)
    assert.ok(isOver, `run ${origin.id} was lost: ${row.id} is ${row.state}: ${JSON.stringify(row.error)}`)
    assert.equal(followers.get(row.id), undefined, `run ${row.id} is done, and was begun again`)
  }
}

/** What excludes each other was never at work at once. */
function assertNeverTogether(rows: readonly RunRow[]): void {
  for (const one of rows) {
    for (const other of rows) {
      if (one.id >= other.id || !one.exclusions.some((it) => other.exclusions.includes(it))) continue
      const [first, second] = [one, other].toSorted((a, b) => ((a.started_at ?? '') < (b.started_at ?? '') ? -1 : 1))
      assert.ok((first?.ended_at ?? '') <= (second?.started_at ?? ''), `${one.id} and ${other.id} met`)
    }
  }
}

async function assertNothingLeft(rows: readonly RunRow[]): Promise<void> {
  for (const { id, pid, pid_started } of rows) {
    if (pid === null) continue
    assert.notEqual(await processStartTime(pid), pid_started, `the process ${pid} of run ${id} is left`)
  }
}

function assertWhole(bench: ServiceBench): void {
  using state = new DatabaseSync(bench.path('state', 'state.sqlite'))
  assert.deepEqual(
    state
      .prepare('pragma integrity_check')
      .all()
      .map((row) => ({ ...row })),
    [{ integrity_check: 'ok' }],
  )
  assert.deepEqual(state.prepare('pragma foreign_key_check').all(), [])
}

const listed = z.object({ backups: z.array(z.object({ id: z.string() })), damaged: z.array(z.string()) })

/** What runs say that they made is there, and everything can be read and proven. */
function assertBackups(bench: ServiceBench, rows: readonly RunRow[]): number {
  const { backups, damaged } = listed.parse(bench.pgrevive('list'))
  assert.deepEqual(damaged, [])
  const ids = new Set(backups.map(({ id }) => id))
  const made = rows.flatMap(({ command, state, backups: of }) => (command === 'backup' && state === 'done' ? of : []))
  assert.ok(made.length > 0)
  assert.deepEqual(
    made.filter((id) => !ids.has(id)),
    [],
  )
  bench.pgrevive('check', '--level', 'content')
  bench.pgrevive('prove')
  return backups.length
}
