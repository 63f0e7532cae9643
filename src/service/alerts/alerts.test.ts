import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type ConfiguredAlerts, type ConfiguredChannel, resolveAlerts } from '../../config/config-alerts.ts'
import { State } from '../state/state.ts'
import { TestClock } from '../test-clock.ts'
import { Alerts, type Trouble } from './alerts.ts'
import type { Notice } from './channels/notice.ts'
import { Dispatcher } from './dispatcher.ts'
import { quietUntil } from './quiet-hours.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const failure: Trouble = {
  kind: 'run-failed',
  severity: 'warning',
  subject: 'nightly',
  title: 'nightly failed',
  text: 'no route to host',
  remedy: 'look at the network',
}

function channel(name: string, changes: Partial<ConfiguredChannel> = {}): ConfiguredChannel {
  const target = { kind: 'slack', url: { kind: 'text', text: 'https://x.example' } } as const
  return { name, target, least: 'warning', quiet: undefined, ...changes }
}

describe('an alert', () => {
  let directory: string
  let clock: TestClock
  let state: State
  let alerts: Alerts
  let dispatcher: Dispatcher
  let channels: ConfiguredChannel[]
  /** `channel notice title`, as they arrived. */
  let told: string[]
  let sending: (notice: Notice, channel: ConfiguredChannel) => Promise<void> | void

  function open(): void {
    const resolver = { problems: [], expand: (text: string) => text, path: (text: string) => text }
    const usual = resolveAlerts({}, [], resolver)
    const settings = (): ConfiguredAlerts => ({ ...usual, channels: new Map(channels.map((one) => [one.name, one])) })
    state = State.open(directory)
    alerts = new Alerts({ state, clock, settings })
    dispatcher = new Dispatcher({
      state,
      clock,
      alerts,
      settings,
      origin: () => ({ service: 'test', link: undefined }),
      send: async (notice, to) => {
        await sending(notice, to)
        told.push(`${to.name} ${notice.kind} ${notice.alert.title}`)
      },
      onFault: (error) => assert.fail(String(error)),
    })
  }

  async function tick(): Promise<string[]> {
    dispatcher.tick()
    await dispatcher.settled()
    return told.splice(0)
  }

  /** Ticks each minute for so long. */
  async function pass(ms: number): Promise<string[]> {
    const all: string[] = []
    for (let passed = 0; passed < ms; passed += minute) {
      await clock.advance(minute)
      all.push(...(await tick()))
    }
    return all
  }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pgrevive-alerts-'))
    clock = new TestClock('2026-11-01T12:00:00Z')
    channels = [channel('ops')]
    told = []
    sending = () => undefined
    open()
  })
  afterEach(() => {
    state[Symbol.dispose]()
    rmSync(directory, { recursive: true })
  })

  it('is one however often it is raised, and told once, and its end once', async () => {
    const first = alerts.raise(failure)
    for (let times = 0; times < 5; times++) assert.equal(alerts.raise(failure).id, first.id)
    assert.deepEqual(await tick(), ['ops opened nightly failed'])
    assert.deepEqual(await pass(hour), [])
    alerts.raise({ ...failure, text: 'still no route' })
    assert.deepEqual(await tick(), [])
    assert.equal(alerts.get(first.id)?.text, 'still no route')
    alerts.close('run-failed', 'nightly')
    assert.equal(alerts.close('run-failed', 'nightly'), undefined)
    assert.deepEqual(await tick(), ['ops closed nightly failed'])
    assert.deepEqual(await pass(2 * day), [])
    const [alert] = alerts.list()
    assert.deepEqual(
      [alert?.deliveries.map(({ notice, state: is }) => `${notice} ${is}`)],
      [['opened sent', 'closed sent']],
    )
    assert.notEqual(alerts.raise(failure).id, first.id, 'the next one is another')
  })

  it('is told again each remind_every until it ends, or somebody has acknowledged it', async () => {
    const { id } = alerts.raise(failure)
    await tick()
    assert.deepEqual(await pass(2 * day), ['ops reminder nightly failed', 'ops reminder nightly failed'])
    assert.equal(alerts.acknowledge(id, 'ann').acknowledgedBy, 'ann')
    assert.deepEqual(await pass(2 * day), [])
    alerts.close('run-failed', 'nightly')
    assert.deepEqual(await tick(), ['ops closed nightly failed'])
    assert.throws(() => alerts.acknowledge('x', 'ann'), { code: 'usage-invalid' })
  })

  it('that becomes worse is told at once, and takes the acknowledgement back', async () => {
    const { id } = alerts.raise(failure)
    await tick()
    alerts.acknowledge(id, 'ann')
    alerts.raise({ ...failure, severity: 'critical', title: 'nightly failed twice' })
    assert.deepEqual(await tick(), ['ops opened nightly failed twice'])
    assert.equal(alerts.get(id)?.acknowledgedBy, null)
    alerts.raise(failure)
    assert.deepEqual(await tick(), [], 'better is no news')
    alerts.raise({ ...failure, severity: 'critical' })
    assert.deepEqual(await pass(30 * minute), [], 'as bad as a while ago is not either')
  })

  it('goes to channels that take its severity', async () => {
    channels = [channel('all', { least: 'info' }), channel('ops'), channel('pager', { least: 'critical' })]
    alerts.raise({ ...failure, severity: 'info', subject: 'a' })
    assert.deepEqual(await tick(), ['all opened nightly failed'])
    alerts.raise({ ...failure, severity: 'critical', subject: 'b' })
    assert.deepEqual((await tick()).toSorted(), [
      'all opened nightly failed',
      'ops opened nightly failed',
      'pager opened nightly failed',
    ])
    alerts.close('run-failed', 'a')
    assert.deepEqual(await tick(), ['all closed nightly failed'], 'its end goes to whom its beginning was told')
  })

  it('that comes and goes is no stream of messages', async () => {
    const all: string[] = []
    for (let times = 0; times < 48; times++) {
      alerts.raise(failure)
      all.push(...(await pass(15 * minute)))
      alerts.close('run-failed', 'nightly')
      all.push(...(await pass(15 * minute)))
    }
    // 48 of them in a day
    assert.ok(all.length >= 2 && all.length <= 50, String(all.length))
    const kinds = all.map((line) => line.split(' ')[1])
    assert.ok(
      kinds.every((kind, index) => kind === (index % 2 === 0 ? 'opened' : 'closed')),
      kinds.join(),
    )
  })

  it('waits for the end of quiet hours; what is over by then is never told', async () => {
    const quiet = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin', exceptCritical: false }
    channels = [channel('ops', { quiet }), channel('pager', { quiet: { ...quiet, exceptCritical: true } })]
    clock.jump('2026-11-02T02:00:00Z')
    alerts.raise({ ...failure, severity: 'critical' })
    alerts.raise({ ...failure, subject: 'other', title: 'other failed' })
    assert.deepEqual(await pass(hour), ['pager opened nightly failed'])
    alerts.close('run-failed', 'other')
    assert.deepEqual(await pass(2 * hour + 58 * minute), [])
    assert.deepEqual(await pass(3 * minute), ['ops opened nightly failed'])
    alerts.close('run-failed', 'nightly')
    assert.deepEqual((await tick()).toSorted(), ['ops closed nightly failed', 'pager closed nightly failed'])
  })

  it('is sent again when the channel did not take it, later and later, and given up after a day, which others are told', async () => {
    channels = [channel('broken'), channel('ops')]
    let tries = 0
    sending = (_, { name }) => {
      if (name !== 'broken') return
      tries++
      throw new Error('it is down')
    }
    const { id } = alerts.raise(failure)
    const all = await pass(26 * hour)
    assert.ok(tries > 20 && tries < 60, String(tries))
    assert.deepEqual(
      all.filter((line) => !line.includes('reminder')),
      ['ops opened nightly failed', 'ops opened nothing could be told to broken for a day'],
    )
    const [delivery] = alerts.get(id)?.deliveries ?? []
    assert.deepEqual([delivery?.channel, delivery?.state, delivery?.error], ['broken', 'failed', 'it is down'])
    sending = () => undefined
    alerts.raise({ ...failure, subject: 'another' })
    assert.ok((await pass(2 * hour)).includes('ops closed nothing could be told to broken for a day'))
  })

  it('that ends before anybody could be told of it is never told', async () => {
    sending = () => Promise.reject(new Error('down'))
    alerts.raise(failure)
    await pass(10 * minute)
    alerts.close('run-failed', 'nightly')
    sending = () => undefined
    assert.deepEqual(await pass(3 * hour), [])
    assert.deepEqual(alerts.list()[0]?.deliveries, [])
  })

  it('that ends while its beginning is being told is told to its end', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    sending = () => promise
    alerts.raise(failure)
    dispatcher.tick()
    alerts.close('run-failed', 'nightly')
    resolve()
    await dispatcher.settled()
    assert.deepEqual(told.splice(0), ['ops opened nightly failed'])
    assert.deepEqual(await tick(), ['ops closed nightly failed'])
  })

  it('is told after the service was killed, under the same id if it was being told', async () => {
    const ids: string[] = []
    sending = ({ id }) => {
      ids.push(id)
      return new Promise<never>(() => undefined)
    }
    alerts.raise(failure)
    dispatcher.tick()
    state[Symbol.dispose]()
    sending = ({ id }) => void ids.push(id)
    open()
    assert.deepEqual(await pass(2 * minute), ['ops opened nightly failed'])
    assert.equal(new Set(ids).size, 1)
    assert.equal(ids.length, 2)
  })

  it('is not silenced by a clock that was wrong', async () => {
    clock.jump('2031-01-01T00:00:00Z')
    alerts.raise(failure)
    await tick()
    clock.jump('2026-11-01T12:00:00Z')
    assert.deepEqual(await tick(), ['ops reminder nightly failed'])
    clock.jump('2031-01-01T00:00:00Z')
    sending = () => Promise.reject(new Error('down'))
    alerts.raise({ ...failure, subject: 'other', title: 'other failed' })
    await tick()
    clock.jump('2026-11-01T12:00:00Z')
    sending = () => undefined
    assert.ok((await pass(2 * minute)).includes('ops opened other failed'))
  })

  it('of a channel that pgrevive.yaml has no more is dropped', async () => {
    alerts.raise(failure)
    channels = []
    assert.deepEqual(await tick(), [])
    assert.deepEqual(alerts.list()[0]?.deliveries, [])
  })
})

describe('quiet hours', () => {
  const until = (from: string, to: string, now: string) =>
    quietUntil({ from, to, timeZone: 'Europe/Berlin', exceptCritical: false }, 'critical', new Date(now))?.toISOString()

  it('may go over midnight, and over the hour in which the clock changes', () => {
    assert.equal(until('22:00', '07:00', '2026-11-02T20:59:59Z'), undefined)
    assert.equal(until('22:00', '07:00', '2026-11-02T21:00:00Z'), '2026-11-03T06:00:00.000Z')
    assert.equal(until('22:00', '07:00', '2026-11-03T06:00:00Z'), undefined)
    assert.equal(until('12:00', '13:00', '2026-11-03T11:30:10Z'), '2026-11-03T12:00:00.000Z')
    assert.equal(until('22:00', '07:00', '2026-10-24T22:00:00Z'), '2026-10-25T06:00:00.000Z')
    assert.equal(until('22:00', '02:30', '2026-03-28T23:00:00Z'), '2026-03-29T01:00:00.000Z')
  })
})
