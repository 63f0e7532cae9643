import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type ConfiguredSchedule, type ScheduleEntry, resolveSchedules } from '../../config/config-schedules.ts'
import { z } from 'zod'
import type { Backup } from '../../shapes/database.ts'
import type { Run } from '../../shapes/run.ts'
import type { Trouble } from '../alerts/alerts.ts'
import { Runs } from '../runs/runs.ts'
import { State } from '../state/state.ts'
import { TestClock } from '../test-clock.ts'
import { Scheduler } from './scheduler.ts'
import { type Surroundings, wantedBySchedule } from './wanted-by-schedule.ts'

const minute = 60_000
const hour = 60 * minute
const markRow = z.object({ seen_until: z.string() })
const nightly = { command: 'backup', when: 'daily at 02:00', time_zone: 'UTC' } as const

function configured(entries: Record<string, ScheduleEntry>): ReadonlyMap<string, ConfiguredSchedule> {
  const problems: { message: string }[] = []
  const resolved = resolveSchedules(
    entries,
    { repositories: ['local', 'offsite'], refreshes: ['staging'] },
    problems as never,
  )
  assert.deepEqual(problems, [])
  return resolved
}

describe('the scheduler', () => {
  let directory: string
  let clock: TestClock
  let state: State
  let runs: Runs
  let schedules: ReadonlyMap<string, ConfiguredSchedule>
  let missed: Trouble[]
  let databases: string[]

  function open(): Scheduler {
    state = State.open(directory)
    runs = new Runs({
      state,
      clock,
      environment: {},
      globalWords: [],
      directory,
      limits: () => ({ atOnce: 1, atOncePerServer: 1 }),
      serversOf: () => [],
      onFault: (error) => assert.fail(String(error)),
    })
    return new Scheduler({
      state,
      runs,
      alerts: { raise: (trouble) => void missed.push(trouble) as never },
      schedules: () => schedules,
      graceMs: () => 30 * minute,
      surroundings: () => ({ databases, repositories: ['local'], backups: () => [] }),
      tell: () => undefined,
    })
  }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pgrevive-scheduler-'))
    clock = new TestClock('2026-11-01T12:00:00Z')
    schedules = configured({ nightly })
    missed = []
    databases = ['shop']
  })
  afterEach(() => {
    state[Symbol.dispose]()
    rmSync(directory, { recursive: true })
  })

  /** As a service that looks each minute. */
  function pass(scheduler: Scheduler, ms: number): void {
    for (let passed = 0; passed < ms; passed += minute) {
      clock.jump(new Date(clock.now().getTime() + minute))
      scheduler.tick(clock.now())
    }
  }

  /** Of each run: when it was due, and its cause; the oldest first. They are taken out of the queue. */
  function requested(): string[] {
    const { items } = runs.list({ states: ['waiting'], limit: 1000 })
    for (const { id } of items) runs.cancel(id, 'test')
    return items.map(({ dueAt, cause }: Run) => `${dueAt?.slice(5, 16)} ${cause}`).toReversed()
  }

  it('runs one at once that somebody asks for, and again at its time', () => {
    const scheduler = open()
    const schedule = schedules.get('nightly')
    assert.ok(schedule)
    scheduler.tick(clock.now())
    const asked = scheduler.runNow(schedule, 'ada@example.com', clock.now())
    assert.deepEqual(
      [asked?.command, asked?.databases, asked?.schedule, asked?.by, asked?.dueAt],
      ['backup', ['shop'], 'nightly', 'ada@example.com', null],
    )
    runs.cancel(asked?.id ?? '', 'ada@example.com')
    pass(scheduler, 15 * hour)
    assert.equal(runs.list({ schedule: 'nightly' }).items.length, 2)
    databases = []
    assert.equal(scheduler.runNow(schedule, 'ada@example.com', clock.now()), undefined, 'there is nothing to back up')
  })

  it('asks for each run once, at its time', () => {
    const scheduler = open()
    scheduler.tick(clock.now())
    assert.deepEqual(requested(), [], 'nothing of before it was there')
    pass(scheduler, 14 * hour)
    assert.deepEqual(requested(), ['11-02T02:00 schedule'])
    pass(scheduler, 48 * hour)
    assert.deepEqual(requested(), ['11-03T02:00 schedule'], 'the one that waits is not doubled')
    assert.deepEqual(missed, [])
  })

  it('catches up once what nobody ran, and says so', () => {
    let scheduler = open()
    scheduler.tick(clock.now())
    state[Symbol.dispose]()
    clock.jump('2026-11-04T09:00:00Z')
    scheduler = open()
    scheduler.tick(clock.now())
    pass(scheduler, hour)
    assert.deepEqual(requested(), ['11-04T02:00 caught-up'])
    assert.deepEqual(
      missed.map(({ subject, kind }) => [subject, kind]),
      [['nightly', 'run-missed']],
    )
    assert.match(missed[0]?.text ?? '', /^It was to run on 2026-11-02 02:00:00Z, and 2 times after that;/)
  })

  it('makes nothing of a restart that takes minutes', () => {
    const scheduler = open()
    scheduler.tick(clock.now())
    clock.jump('2026-11-02T02:10:00Z')
    scheduler.tick(clock.now())
    assert.deepEqual(requested(), ['11-02T02:00 caught-up'])
    assert.deepEqual(missed, [])
  })

  it('asks for the same run again when it was killed before it could note that', () => {
    let scheduler = open()
    scheduler.tick(clock.now())
    const before = state.all(markRow, 'select seen_until from schedule_mark')[0]?.seen_until ?? ''
    clock.jump('2026-11-02T02:00:10Z')
    scheduler.tick(clock.now())
    state.change('update schedule_mark set seen_until = :before', { before })
    state[Symbol.dispose]()
    scheduler = open()
    scheduler.tick(clock.now())
    assert.deepEqual(requested(), ['11-02T02:00 schedule'])
  })

  it('runs nothing twice when the clock is set back, and nothing too late when it is set forth', () => {
    const scheduler = open()
    scheduler.tick(clock.now())
    pass(scheduler, 14 * hour + 30 * minute)
    assert.deepEqual(requested(), ['11-02T02:00 schedule'])
    clock.jump('2026-11-02T01:30:00Z')
    pass(scheduler, 2 * hour)
    assert.deepEqual(requested(), [])
    pass(scheduler, 24 * hour)
    assert.deepEqual(requested(), ['11-03T02:00 schedule'])
    clock.jump('2026-11-04T02:20:00Z')
    scheduler.tick(clock.now())
    assert.deepEqual(requested(), ['11-04T02:00 caught-up'])
    assert.deepEqual(missed, [])
  })

  it('is not silenced for years by a clock that was wrong once', () => {
    const scheduler = open()
    scheduler.tick(clock.now())
    clock.jump('2038-01-19T03:14:07Z')
    scheduler.tick(clock.now())
    assert.equal(requested().length, 1)
    clock.jump('2026-11-01T13:00:00Z')
    pass(scheduler, 24 * hour)
    assert.deepEqual(requested(), ['11-02T02:00 schedule'])
  })

  it('lets a schedule that was changed, or was off, begin anew', () => {
    const scheduler = open()
    schedules = configured({ nightly: { ...nightly, enabled: false } })
    scheduler.tick(clock.now())
    pass(scheduler, 24 * hour)
    assert.deepEqual(requested(), [])
    schedules = configured({ nightly })
    pass(scheduler, 2 * hour)
    schedules = configured({ nightly: { ...nightly, when: 'daily at 13:00' } })
    clock.jump('2026-11-02T15:00:00Z')
    scheduler.tick(clock.now())
    pass(scheduler, hour)
    assert.deepEqual(requested(), [], '13:00 was before it was changed')
    pass(scheduler, 24 * hour)
    assert.deepEqual(requested(), ['11-03T13:00 schedule'])
  })

  it('lets what overlaps wait, one at most', () => {
    schedules = configured({ often: { ...nightly, when: 'every 15 minutes' } })
    const scheduler = open()
    scheduler.tick(clock.now())
    pass(scheduler, 6 * hour)
    assert.deepEqual(requested(), ['11-01T12:15 schedule'])
  })

  it('comes where the clock of its place changes', () => {
    clock.jump('2026-03-28T12:00:00Z')
    schedules = configured({ nightly: { ...nightly, when: 'daily at 02:30', time_zone: 'Europe/Berlin' } })
    const scheduler = open()
    scheduler.tick(clock.now())
    pass(scheduler, 36 * hour)
    assert.deepEqual(requested(), ['03-29T01:00 schedule'])
  })

  it('asks for nothing where there is nothing to do it with', () => {
    databases = []
    const scheduler = open()
    scheduler.tick(clock.now())
    pass(scheduler, 24 * hour)
    assert.deepEqual([requested(), missed], [[], []], 'which is nothing new before the first database')
  })

  it('tells at its time that a schedule matches no database, and asks for it once one is there', () => {
    schedules = configured({ nightly: { ...nightly, databases: ['shpo', 'app_*'] } })
    const scheduler = open()
    scheduler.tick(clock.now())
    pass(scheduler, 13 * hour)
    assert.deepEqual(missed, [])
    pass(scheduler, 2 * hour)
    assert.deepEqual(requested(), [])
    assert.deepEqual(
      missed.map(({ kind, subject, text }) => [kind, subject, text]),
      [['run-missed', 'nightly', 'It is about shpo, app_*, and there is no such database.']],
    )
    databases = ['shop', 'app_1']
    pass(scheduler, 24 * hour)
    assert.deepEqual(requested(), ['11-03T02:00 schedule'])
    assert.equal(missed.length, 1)
  })
})

describe('the run that a schedule means', () => {
  const backup = (id: string, database: string, snapshotAt: string, proofAt?: string, places = ['local', 'offsite']) =>
    ({
      id,
      database,
      snapshotAt,
      proof: proofAt === undefined ? null : { at: proofAt },
      places: places.map((repository) => ({ repository })),
    }) as Backup
  const held: Record<string, Backup[]> = {
    shop: [backup('S3', 'shop', '2026-11-03'), backup('S2', 'shop', '2026-11-02', '2026-11-02')],
    app_1: [backup('A2', 'app_1', '2026-11-02', '2026-11-05'), backup('A1', 'app_1', '2026-11-01', '2026-11-03')],
    empty: [],
  }
  const surroundings: Surroundings = {
    databases: ['shop', 'app_1', 'main/x y', 'empty'],
    repositories: ['local', 'offsite'],
    backups: (name) => held[name] ?? [],
  }
  const wanted = (entry: Omit<ScheduleEntry, 'when'>, at = '2026-11-04T00:00:00Z') =>
    wantedBySchedule({ entry: { when: 'hourly', ...entry } }, surroundings, new Date(at))

  it('means all databases that there are, or names those that match', () => {
    const all = wanted({ command: 'backup' })
    assert.deepEqual(all?.arguments, [])
    assert.deepEqual(all.databases, surroundings.databases)
    assert.deepEqual(all.repositories, ['local', 'offsite'])
    const some = wanted({ command: 'backup', databases: ['app_*', 'main/*'], repositories: ['offsite'] })
    assert.deepEqual(some?.arguments, ['--repo', 'offsite', '--', 'app_1', 'main/x y'])
    assert.equal(wanted({ command: 'backup', databases: ['nothing_*'] }), undefined)
  })

  it('is a drill of the newest unproven backup, or else of the one that was proven longest ago', () => {
    const drill = wanted({ command: 'prove' })
    assert.deepEqual(drill?.arguments.slice(2), ['--', 'S3', 'A1'])
    assert.deepEqual(drill.databases, ['shop', 'app_1'])
    const places = ['2026-11-04', '2026-11-05', '2026-11-06'].map(
      (day) => wanted({ command: 'prove' }, day)?.repositories[0],
    )
    assert.deepEqual(new Set(places), new Set(['local', 'offsite']))
    assert.equal(wanted({ command: 'prove', databases: ['empty'] }), undefined)
    assert.deepEqual(wanted({ command: 'prove', repositories: ['offsite'] })?.repositories, ['offsite'])
  })

  it('has the options of its command', () => {
    assert.deepEqual(wanted({ command: 'forget' })?.arguments, [])
    assert.deepEqual(wanted({ command: 'forget', databases: ['shop'] })?.arguments, ['--database', 'shop'])
    assert.deepEqual(wanted({ command: 'prune', repositories: ['local'] })?.arguments, ['--repo', 'local'])
    assert.deepEqual(wanted({ command: 'check', level: 'bits', budget: '10GB' })?.arguments, [
      '--level',
      'bits',
      '--budget',
      '10GB',
    ])
    assert.deepEqual(wanted({ command: 'sync', from: 'local', to: 'offsite' })?.arguments, [
      '--from',
      'local',
      '--to',
      'offsite',
    ])
    assert.deepEqual(wanted({ command: 'refresh', refresh: 'staging' })?.arguments, ['--', 'staging'])
  })
})
