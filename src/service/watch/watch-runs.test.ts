import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { resolveAlerts } from '../../config/config-alerts.ts'
import type { Repository } from '../../shapes/repository.ts'
import type { Run } from '../../shapes/run.ts'
import { Alerts } from '../alerts/alerts.ts'
import { Runs } from '../runs/runs.ts'
import type { WantedRun } from '../runs/wanted-run.ts'
import { State } from '../state/state.ts'
import { TestClock } from '../test-clock.ts'
import { watchRepositories } from './watch-repositories.ts'
import { RunWatch } from './watch-runs.ts'

const minute = 60_000

describe('what becomes of runs', () => {
  let directory: string
  let clock: TestClock
  let state: State
  let runs: Runs
  let alerts: Alerts
  let watch: RunWatch
  let schedules: string[]
  let repository: Repository
  let stranded: string[]

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pgrevive-watch-'))
    clock = new TestClock('2026-11-01T12:00:00Z')
    schedules = ['nightly', 'clean']
    stranded = []
    repository = {
      name: 'local',
      place: '/backups',
      kind: 'directory',
      reachable: true,
      error: null,
      lookedAt: '2026-11-01T12:00:00.000Z',
      backups: 1,
      bytes: 1,
      stored: 1,
      dedup: 1,
      compression: 1,
      lastCheck: null,
      growth: [],
    }
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
    const resolver = { problems: [], expand: (text: string) => text, path: (text: string) => text }
    alerts = new Alerts({ state, clock, settings: () => resolveAlerts({}, [], resolver) })
    open()
  })
  afterEach(() => {
    state[Symbol.dispose]()
    rmSync(directory, { recursive: true })
  })

  function open(): void {
    watch = new RunWatch({
      runs,
      alerts,
      schedules: () => schedules,
      repositories: () => [repository],
      graceMs: () => 30 * minute,
    })
  }

  /** A run that has ended, as the queue leaves it; without a code it went well. */
  function ended(wanted: Partial<WantedRun>, code?: string, hint = 'look'): Run {
    clock.jump(new Date(clock.now().getTime() + minute))
    const usual = { command: 'backup', arguments: [], databases: ['shop'], repositories: ['local'] } as const
    const { id } = runs.request({ ...usual, cause: 'schedule', ...wanted })
    const now = clock.now().toISOString()
    const error = code === undefined ? null : JSON.stringify({ code, message: `it is ${code}`, hint })
    const is = code === undefined ? 'done' : code === 'interrupted' ? 'interrupted' : 'failed'
    state.change('update run set state = :is, error = :error, started_at = :now, ended_at = :now where id = :id', {
      id,
      is,
      error,
      now,
    })
    const run = runs.get(id)
    assert.ok(run)
    runs.events.emit('ended', run, undefined)
    return run
  }

  /** `kind subject` of what is open, after the watch has looked. */
  function troubles(): string[] {
    watch.tick(clock.now())
    watchRepositories([repository], alerts, () => stranded)
    return alerts.openOf().map(({ kind, subject }) => `${kind} ${subject}`)
  }

  it('a failure of a schedule is an alert until that goes well', () => {
    const run = ended({ schedule: 'nightly' }, 'connection-failed')
    assert.deepEqual(troubles(), ['run-failed nightly'])
    const [alert] = alerts.list()
    assert.deepEqual([alert?.run, alert?.remedy, alert?.severity], [run.id, 'look', 'warning'])
    ended({ schedule: 'nightly' }, 'connection-failed')
    assert.equal(troubles().length, 1)
    ended({ schedule: 'clean', command: 'forget' })
    assert.equal(troubles().length, 1, 'another schedule makes nothing good')
    ended({ schedule: 'nightly' })
    assert.deepEqual(troubles(), [])
    assert.equal(alerts.list().length, 1)
  })

  it('what a person asked for is no alert, and makes a failure good if it did the same', () => {
    ended({ cause: 'request' }, 'connection-failed')
    assert.deepEqual(troubles(), [])
    ended({ schedule: 'nightly', databases: ['shop', 'app'] }, 'connection-failed')
    ended({ cause: 'request', databases: ['shop'] })
    assert.deepEqual(troubles(), ['run-failed nightly'])
    ended({ cause: 'request', databases: ['app', 'shop'] })
    assert.deepEqual(troubles(), [])
  })

  it('a hook, a refuted proof and damage are told as what they are', () => {
    ended({ schedule: 'nightly' }, 'hook-failed')
    ended({ schedule: 'clean', command: 'prove' }, 'proof-refuted')
    assert.deepEqual(troubles(), ['hook-failed nightly', 'run-failed clean'])
    assert.equal(alerts.openOf('run-failed')[0]?.severity, 'critical')
    ended({ schedule: 'clean', command: 'check' }, 'check-damaged')
    assert.ok(troubles().includes('repository local'), 'and it stays, though the repository can be reached')
    ended({ schedule: 'clean', command: 'check' })
    assert.deepEqual(troubles(), ['hook-failed nightly'])
  })

  it('a repository that is away is one alert, whatever fails for it', () => {
    ended({ schedule: 'nightly' }, 'store-missing')
    assert.deepEqual(troubles(), [], 'first it is looked at')
    const gone = { code: 'store-missing', message: 'no such directory' }
    repository = { ...repository, reachable: false, error: gone, lookedAt: clock.now().toISOString() }
    ended({ schedule: 'clean', command: 'forget' }, 'store-missing')
    repository = { ...repository, lookedAt: clock.now().toISOString() }
    assert.deepEqual(troubles(), ['repository local'])
    repository = { ...repository, reachable: true, error: null }
    assert.deepEqual(troubles(), [])
    assert.equal(alerts.list().length, 1)
  })

  it('a repository that is away is critical while something can be restored from nowhere else, and told again then', () => {
    const of = () => alerts.openOf('repository').map(({ severity, text }) => `${severity}: ${text}`)
    repository = { ...repository, reachable: false, error: { code: 'store-missing', message: 'no such directory' } }
    troubles()
    assert.deepEqual(of(), ['warning: no such directory'])
    stranded = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    troubles()
    assert.deepEqual(of(), [
      'critical: no such directory; a, b, c, d, e and 2 others can be restored from nowhere else',
    ])
    repository = { ...repository, reachable: true, error: null }
    assert.deepEqual(troubles(), [])
  })

  it('a repository that can be read and not written is a failure of the run', () => {
    ended({ schedule: 'nightly' }, 'store-full')
    repository = { ...repository, lookedAt: clock.now().toISOString() }
    assert.deepEqual(troubles(), ['run-failed nightly'])
  })

  it('a failure that nobody could look into is told after a while', () => {
    ended({ schedule: 'nightly' }, 'store-unreachable')
    assert.deepEqual(troubles(), [])
    clock.jump(new Date(clock.now().getTime() + 11 * minute))
    assert.deepEqual(troubles(), ['run-failed nightly'])
  })

  it('a run that waits for too long is missed, until it is done', () => {
    const wanted = { command: 'backup', arguments: [], databases: ['shop'], repositories: [] } as const
    const { id } = runs.request({ ...wanted, cause: 'schedule', schedule: 'nightly', dueAt: clock.now() })
    clock.jump(new Date(clock.now().getTime() + 30 * minute))
    assert.deepEqual(troubles(), [])
    clock.jump(new Date(clock.now().getTime() + minute))
    assert.deepEqual(troubles(), ['run-missed nightly'])
    runs.cancel(id, 'test')
    ended({ schedule: 'nightly' })
    assert.deepEqual(troubles(), [])
  })

  it('what ended when nobody watched is seen at the next start, and what has no schedule any more ends', () => {
    runs.events.removeAllListeners()
    ended({ schedule: 'nightly' }, 'connection-failed')
    open()
    assert.deepEqual(troubles(), ['run-failed nightly'])
    schedules = []
    assert.deepEqual(troubles(), [])
  })

  it('what went well before the service stood still does not make good what was missed since', () => {
    ended({ schedule: 'nightly' })
    open()
    const wanted = { command: 'backup', arguments: [], databases: ['shop'], repositories: [] } as const
    const { id } = runs.request({ ...wanted, cause: 'caught-up', schedule: 'nightly', dueAt: clock.now() })
    const title = 'nightly did not run when it should have'
    alerts.raise({
      kind: 'run-missed',
      severity: 'warning',
      subject: 'nightly',
      title,
      text: '',
      remedy: null,
      run: id,
    })
    assert.deepEqual(troubles(), ['run-missed nightly'])
  })

  it('a run before a schedule matched nothing does not end that, and the next one does', () => {
    ended({ schedule: 'nightly' })
    clock.jump(new Date(clock.now().getTime() + minute))
    const title = 'nightly did not run: it matches no database'
    alerts.raise({ kind: 'run-missed', severity: 'warning', subject: 'nightly', title, text: '', remedy: null })
    open()
    assert.deepEqual(troubles(), ['run-missed nightly'])
    ended({ schedule: 'nightly' })
    assert.deepEqual(troubles(), [])
  })
})
