import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { processStartTime } from '../../core/process-start-time.ts'
import { runVariable } from '../../core/run-events.ts'
import type { Run } from '../../shapes/run.ts'
import { systemClock } from '../clock.ts'
import { State } from '../state/state.ts'
import { ServiceBench, until } from '../test-service-bench.ts'
import { Runs } from './runs.ts'
import type { WantedRun } from './wanted-run.ts'

const backup = (database: string, more: Partial<WantedRun> = {}): WantedRun => ({
  command: 'backup',
  arguments: ['--', database],
  databases: [database],
  repositories: [],
  cause: 'request',
  by: 'ann@example.com',
  ...more,
})

const hasEnded = (run: Run | undefined) => (run?.endedAt ? run : undefined)

describe('runs', { timeout: 120_000 }, () => {
  let bench: ServiceBench
  let directory: string
  let state: State
  let runs: Runs
  let limits = { atOnce: 2, atOncePerServer: 2 }
  const faults: unknown[] = []

  before(async () => {
    bench = await ServiceBench.start()
  })
  after(() => bench?.[Symbol.asyncDispose]())

  beforeEach(async () => {
    limits = { atOnce: 2, atOncePerServer: 2 }
    directory = await mkdtemp(bench.path('state-'))
    await bench.closeGate()
    await bench.configure()
    openRuns()
  })
  afterEach(async () => {
    await bench.openGate()
    await runs.stop({ withinMs: 30_000 })
    state[Symbol.dispose]()
    assert.deepEqual(faults, [])
  })

  function openRuns(): void {
    state = State.open(directory)
    runs = new Runs({
      state,
      clock: systemClock,
      environment: bench.environment,
      globalWords: ['--config', bench.configFile],
      directory: bench.directory,
      limits: () => limits,
      serversOf: () => ['here:5432'],
      onFault: (error) => faults.push(error),
    })
  }

  const ended = (run: Run) => until(() => hasEnded(runs.get(run.id)))
  const isAlive = async ({ id }: Run) => {
    const row = state.first(z.object({ pid: z.int() }), 'select pid from run where id = :id', { id })
    return row !== undefined && (await processStartTime(row.pid)) !== undefined
  }

  it('are done by processes of their own, and say what they do', async () => {
    const phases = new Set<string>()
    runs.events.on('progress', (_, { phase }) => phases.add(phase))
    const asked = runs.request(backup('shop'))
    assert.deepEqual(
      [asked.state, asked.commandLine, asked.by],
      ['waiting', 'pgrevive backup -- shop', 'ann@example.com'],
    )
    runs.start()
    const run = await ended(asked)
    assert.deepEqual([run.state, run.exitCode, run.error, run.progress, run.backups.length], ['done', 0, null, null, 1])
    assert.ok(phases.has('data'), [...phases].join())
    const lines = await Array.fromAsync(runs.log(run.id))
    assert.ok(lines.some(({ text, level }) => level === 'info' && text.startsWith('backed up shop as ')))
    const result = runs.detail(run.id)?.result
    assert.ok(typeof result === 'object' && result !== null && 'backups' in result)
    assert.deepEqual(
      runs.list({ database: 'shop' }).items.map(({ id }) => id),
      [run.id],
    )
    assert.deepEqual(runs.list({ database: 'app' }).items, [])
  })

  it('that fail say why', async () => {
    runs.start()
    const run = await ended(runs.request(backup('--all', { arguments: ['--', '--all'] })))
    assert.deepEqual([run.state, run.exitCode, run.error?.code], ['failed', 2, 'usage-invalid'])
    const lines = await Array.fromAsync(runs.log(run.id))
    assert.ok(lines.some(({ level, text }) => level === 'error' && text.includes('no database "--all"')))
  })

  it('that are about one database never meet, and no more work than may', async () => {
    await bench.configureGate()
    limits = { atOnce: 2, atOncePerServer: 1 }
    runs.start()
    const asked = [runs.request(backup('shop')), runs.request(backup('shop')), runs.request(backup('app'))]
    const states = () => asked.map(({ id }) => runs.get(id)?.state)
    await until(async () => (await bench.begun()).length === 1)
    assert.deepEqual(states(), ['running', 'waiting', 'waiting'])
    limits = { atOnce: 2, atOncePerServer: 2 }
    runs.proceed()
    await until(async () => (await bench.begun()).length === 2)
    assert.deepEqual(states(), ['running', 'waiting', 'running'])
    await bench.openGate()
    await Promise.all(asked.map(ended))
    assert.deepEqual(states(), ['done', 'done', 'done'])
    assert.deepEqual((await bench.begun()).toSorted(), ['app', 'shop', 'shop'])
  })

  it('of a schedule and a moment are one, and one that waits is enough', () => {
    const dueAt = new Date('2026-11-23T02:00:00Z')
    const due = { schedule: 'nightly', cause: 'schedule', dueAt } as const
    const first = runs.request(backup('shop', due))
    assert.equal(runs.request(backup('shop', due)).id, first.id)
    assert.equal(runs.request(backup('shop', { ...due, dueAt: new Date('2026-11-24T02:00:00Z') })).id, first.id)
    assert.notEqual(runs.request(backup('shop')).id, first.id)
    const missed = runs.miss(backup('app', { ...due, dueAt: new Date('2026-11-22T02:00:00Z') }))
    assert.deepEqual([missed.state, missed.endedAt === null], ['missed', false])
    assert.equal(runs.list().items.length, 3)
  })

  it('can be canceled, before and while they work', async () => {
    await bench.configureGate()
    const [working, waiting] = [runs.request(backup('shop')), runs.request(backup('shop'))]
    runs.start()
    await until(async () => (await bench.begun()).length === 1)
    runs.cancel(waiting.id, 'ann@example.com')
    runs.cancel(working.id, 'ann@example.com')
    assert.equal((await ended(working)).state, 'canceled')
    assert.equal(runs.get(waiting.id)?.state, 'canceled')
    assert.equal(await isAlive(working), false)
    runs.cancel(working.id, 'ann@example.com')
    assert.throws(() => runs.cancel('01JD8Y', 'ann@example.com'), { code: 'run-unknown' })
    assert.equal(runs.list({ states: ['waiting', 'running'] }).items.length, 0)
  })

  it('that a shutdown stops are interrupted, and wait for the next start', async () => {
    await bench.configureGate()
    runs.start()
    const asked = runs.request(backup('shop'))
    const restore: WantedRun = { ...backup('app'), command: 'restore', arguments: ['--in-place', '--', 'latest:app'] }
    await until(async () => (await bench.begun()).length === 1)
    await runs.stop({ withinMs: 100 })
    assert.equal(runs.get(asked.id)?.state, 'interrupted')
    const [again] = runs.list({ states: ['waiting'] }).items
    assert.deepEqual([again?.cause, again?.commandLine, again?.by], ['again', asked.commandLine, asked.by])
    runs.request(restore)
    assert.equal(runs.list({ states: ['running'] }).items.length, 0, 'nothing is begun any more')
    await bench.openGate()
    state[Symbol.dispose]()
    openRuns()
    runs.start()
    assert.ok(again)
    assert.equal((await ended(again)).state, 'done')
  })

  it('of a service that was killed are marked, and asked for again twice at most', async () => {
    await bench.configureGate()
    let id = runs.request(backup('shop')).id
    for (const times of [1, 2, 3]) {
      state.change(`update run set state = 'running', pid = 999999999, pid_started = 1 where id = :id`, { id })
      state[Symbol.dispose]()
      openRuns()
      limits = { atOnce: 0, atOncePerServer: 0 }
      runs.start()
      const marked = await until(() => hasEnded(runs.get(id)))
      assert.deepEqual([marked.state, marked.error?.code], ['interrupted', 'interrupted'])
      const waiting = runs.list({ states: ['waiting'] }).items
      assert.deepEqual(
        waiting.map(({ cause }) => cause),
        times === 3 ? [] : ['again'],
      )
      id = waiting[0]?.id ?? id
    }
  })

  it('never doubles a restore by itself', async () => {
    const restore = runs.request({
      ...backup('app'),
      command: 'restore',
      arguments: ['--in-place', '--', 'latest:app'],
    })
    state.change(`update run set state = 'running', pid = 999999999, pid_started = 1 where id = :id`, {
      id: restore.id,
    })
    runs.start()
    const marked = await ended(restore)
    assert.deepEqual([marked.state, runs.list().items.length], ['interrupted', 1])
    assert.match(marked.error?.hint ?? '', /--resume --to app/)
  })

  it('of a service that was killed are waited for, as long as their processes live', async () => {
    const asked = runs.request(backup('shop'))
    const left = spawn('sleep', ['60'], { env: { [runVariable]: asked.id } })
    assert.ok(left.pid !== undefined)
    const startTime = (await processStartTime(left.pid)) ?? 0
    state.change(`update run set state = 'running', pid = :pid, pid_started = :startTime where id = :id`, {
      pid: left.pid,
      startTime,
      id: asked.id,
    })
    const later = runs.request(backup('shop'))
    runs.start()
    const other = await ended(runs.request(backup('app')))
    assert.equal(other.state, 'done', `nobody else waits: ${JSON.stringify(other.error)}`)
    assert.deepEqual([runs.get(asked.id)?.state, runs.get(later.id)?.state], ['running', 'waiting'])
    left.kill('SIGKILL')
    assert.equal((await ended(asked)).state, 'interrupted')
    assert.equal((await ended(later)).state, 'done')
    await until(() => runs.list({ states: ['waiting', 'running'] }).items.length === 0)
    assert.deepEqual(
      runs.list({ database: 'shop' }).items.map(({ state, cause }) => [state, cause]),
      [
        ['done', 'again'],
        ['done', 'request'],
        ['interrupted', 'request'],
      ],
    )
  })

  it('go on without a log where it can not be written', async () => {
    const [full, unopened] = [runs.request(backup('shop')), runs.request(backup('app'))]
    await symlink('/dev/full', join(directory, 'runs', `${full.id}.jsonl`))
    await mkdir(join(directory, 'runs', `${unopened.id}.jsonl`))
    runs.start()
    assert.deepEqual([(await ended(full)).state, (await ended(unopened)).state], ['done', 'done'])
    assert.match(String(faults.splice(0)), /EISDIR.*ENOSPC|ENOSPC.*EISDIR/s)
  })

  it('fail, and keep nobody waiting, where no process can be made', async () => {
    runs.start()
    const failed = await ended(runs.request(backup('shop', { arguments: ['x'.repeat(200_000)] })))
    assert.deepEqual([failed.state, failed.error?.code], ['failed', 'run-died'])
    assert.match(failed.error?.message ?? '', /E2BIG/)
    assert.equal((await ended(runs.request(backup('shop')))).state, 'done')
  })

  it('of more than a year are removed, also where a later one was asked for in their place', () => {
    const old = runs.request(backup('shop'))
    const again = runs.request(backup('shop', { cause: 'again', againOf: old.id }))
    state.change("update run set state = 'interrupted', ended_at = '2020-01-01T00:00:00.000Z' where id = :id", {
      id: old.id,
    })
    runs.tidy()
    assert.deepEqual([runs.get(old.id), runs.get(again.id)?.state], [undefined, 'waiting'])
  })

  it('are given no passwords, and nothing that a process can not take', () => {
    for (const word of ['postgres://ann:secret@db/shop', 'a\0b']) {
      assert.throws(() => runs.request(backup('shop', { arguments: [word] })), AppError)
    }
    assert.deepEqual(runs.list().items, [])
  })
})
