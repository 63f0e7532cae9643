import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { ServiceBench, until } from '../../service/test-service-bench.ts'
import { TestClock } from '../../service/test-clock.ts'
import { issuedToken } from '../../shapes/access.ts'
import { run, runDetail } from '../../shapes/run.ts'
import { type ServiceEvent, serviceEvent } from '../../shapes/service.ts'
import { type TestClient, TestApi, codeOf } from '../test-api.ts'

const changed: ServiceEvent = { kind: 'changed', what: 'schedules' }

/** Somebody who looks on. */
class Watcher {
  readonly events: ServiceEvent[] = []
  readonly comments: string[] = []
  readonly response: IncomingMessage
  hasEnded = false

  private constructor(response: IncomingMessage) {
    this.response = response
    let rest = ''
    response.setEncoding('utf8').on('data', (piece: string) => {
      const blocks = (rest + piece).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.#hear(block)
    })
    response.on('error', () => undefined).once('close', () => (this.hasEnded = true))
  }

  static async open(client: TestClient, headers: Record<string, string> = {}): Promise<Watcher> {
    const response = await client.send('GET', '/api/events', undefined, headers)
    assert.deepEqual([response.statusCode, response.headers['content-type']], [200, 'text/event-stream'])
    const watcher = new Watcher(response)
    await until(() => watcher.comments.includes(': welcome'))
    return watcher
  }

  /** As a page that is closed, or a network that breaks. */
  async leave(): Promise<void> {
    this.response.destroy()
    await until(() => this.hasEnded)
  }

  #hear(block: string): void {
    if (block.startsWith(':')) return void this.comments.push(block)
    const [, name, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
    const event = serviceEvent.parse(JSON.parse(data))
    assert.equal(name, event.kind)
    this.events.push(event)
  }
}

describe('events', () => {
  it('come to whoever looks on until they leave, and nothing is left of them then', async () => {
    await using api = await TestApi.open()
    const viewer = await api.person('viewer')
    const { events } = api.service
    const listeners = events.listenerCount('event')
    const watchers = await Promise.all(Array.from({ length: 12 }, () => Watcher.open(viewer)))
    assert.equal(events.listenerCount('event'), listeners + 12)
    events.emit('event', changed)
    await until(() => watchers.every((one) => one.events.length === 1))
    assert.deepEqual(watchers[0]?.events, [changed])
    await Promise.all(watchers.map((one) => one.leave()))
    await until(() => events.listenerCount('event') === listeners)
  })

  it('are not for whoever may not see', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    assert.equal(codeOf(await api.client().ask('GET', '/api/events')), 'sign-in-needed')
    const issued = await admin.ask('POST', '/api/tokens', { name: 'prometheus', scopes: ['metrics'] })
    const authorization = `Bearer ${issuedToken.parse(issued.body).secret}`
    const refused = await api.client().ask('GET', '/api/events', undefined, { authorization })
    assert.equal(codeOf(refused), 'access-denied')
  })

  it('are for so many of one account that there is room for others, and for no more than the service can tell', async () => {
    await using api = await TestApi.open()
    const people = await Promise.all(Array.from({ length: 10 }, (_, n) => api.person('viewer', `v${n}@example.com`)))
    const [one] = people
    assert.ok(one)
    const watchOften = (client: TestClient) => Promise.all(Array.from({ length: 20 }, () => Watcher.open(client)))
    const watchers = await watchOften(one)
    assert.equal(codeOf(await one.ask('GET', '/api/events')), 'tries-exhausted')
    for (const other of people.slice(1)) watchers.push(...(await watchOften(other)))
    const late = await api.person('viewer')
    assert.equal(codeOf(await late.ask('GET', '/api/events')), 'tries-exhausted')
    await watchers[0]?.leave()
    const another = await until(() => Watcher.open(late).catch(() => undefined))
    await Promise.all([...watchers, another].map((watcher) => watcher.leave()))
  })

  it('have a heartbeat, for what stands in between', async () => {
    const clock = new TestClock(new Date())
    await using api = await TestApi.open({ clock })
    const watcher = await Watcher.open(await api.person('viewer'))
    assert.equal(watcher.response.headers['x-accel-buffering'], 'no')
    for (let beats = 1; beats <= 3; beats++) {
      await clock.advance(15_000)
      await until(() => watcher.comments.length === beats + 1)
    }
    assert.deepEqual(watcher.comments.slice(1), Array(3).fill(': still there'))
    await watcher.leave()
  })

  it('end where some would be lost, so that whoever looks on begins anew; lines of logs and progress may be', async () => {
    await using api = await TestApi.open()
    const watcher = await Watcher.open(await api.person('viewer'))
    const id = '01JD8Y00000000000000000000'
    const line = { at: new Date().toISOString(), level: 'info' as const, text: 'a line' }
    for (let n = 0; n < 1000; n++) {
      api.service.events.emit('event', { kind: 'log', run: id, line })
      api.service.events.emit('event', { kind: 'progress', run: id, progress: { phase: `${n}`, unit: 'rows' } })
    }
    api.service.events.emit('event', changed)
    await until(() => watcher.events.at(-1)?.kind === 'changed')
    const progress = watcher.events.flatMap((event) => (event.kind === 'progress' ? [event.progress.phase] : []))
    assert.equal(progress.at(-1), '999')
    for (let n = 0; n < 1000; n++) api.service.events.emit('event', changed)
    await until(() => watcher.hasEnded)
  })

  it('end with the service', async () => {
    let watcher
    {
      await using api = await TestApi.open()
      watcher = await Watcher.open(await api.person('viewer'))
    }
    await until(() => watcher.hasEnded)
  })
})

describe('whoever looked on, and', () => {
  const clock = new TestClock(new Date())
  let api: TestApi
  let admin: TestClient

  before(async () => {
    api = await TestApi.open({ clock })
    admin = await api.person('admin')
  })
  after(() => api[Symbol.asyncDispose]())

  let people = 0
  const signedIn = async () => {
    const client = await api.person('operator', `operator-${++people}@example.com`)
    return { client, id: (await client.whoAmI()).user?.id ?? '', headers: {} }
  }
  const withToken = async () => {
    const owner = await api.person('admin', `owner-${++people}@example.com`)
    const issued = await owner.ask('POST', '/api/tokens', { name: 'ci', scopes: ['read'], expiresInDays: 1 })
    const { secret } = issuedToken.parse(issued.body)
    const id = (await owner.whoAmI()).user?.id ?? ''
    return { client: api.client(), id, headers: { authorization: `Bearer ${secret}` } }
  }

  type Somebody = Awaited<ReturnType<typeof signedIn>>
  const ends: [what: string, come: () => Promise<Somebody>, act: (somebody: Somebody) => unknown][] = [
    ['has signed out', signedIn, ({ client }) => client.ask('POST', '/api/auth/sign-out')],
    ['has another role', signedIn, ({ id }) => admin.ask('PATCH', `/api/users/${id}`, { role: 'viewer' })],
    ['was disabled', signedIn, ({ id }) => admin.ask('PATCH', `/api/users/${id}`, { disabled: true })],
    ['was removed', signedIn, ({ id }) => admin.ask('DELETE', `/api/users/${id}`)],
    [
      'whose session is over',
      signedIn,
      ({ id }) => {
        const past = new Date(Date.now() - 1000).toISOString()
        api.state.change('update session set expiresAt = :past where userId = :id', { past, id })
      },
    ],
    [
      'whose token was revoked',
      withToken,
      () => admin.ask('DELETE', `/api/tokens/${api.server.room.tokens.list()[0]?.id}`),
    ],
    ['whose token is of somebody who was removed', withToken, ({ id }) => admin.ask('DELETE', `/api/users/${id}`)],
    ['whose token has expired', withToken, () => clock.jump(new Date(clock.now().getTime() + 86_400_001))],
  ]
  for (const [what, come, act] of ends) {
    it(`${what}, is told nothing a second later, and the stream ends`, async () => {
      const somebody = await come()
      const watcher = await Watcher.open(somebody.client, somebody.headers)
      await clock.advance(1000)
      api.service.events.emit('event', changed)
      await until(() => watcher.events.length === 1)
      await act(somebody)
      await clock.advance(1000)
      api.service.events.emit('event', changed)
      await until(() => watcher.hasEnded)
      assert.equal(watcher.events.length, 1)
    })
  }

  it('has signed out, is left at the next heartbeat though nothing happens', async () => {
    const { client } = await signedIn()
    const watcher = await Watcher.open(client)
    await client.ask('POST', '/api/auth/sign-out')
    await clock.advance(15_000)
    await until(() => watcher.hasEnded)
    assert.deepEqual(watcher.comments, [': welcome'])
  })
})

describe('a run', () => {
  let bench: ServiceBench
  let api: TestApi
  let operator: TestClient

  before(async () => {
    bench = await ServiceBench.start()
    await bench.configureGate()
    api = await TestApi.open({ directory: bench.directory, environment: bench.environment })
    api.service.start()
    operator = await api.person('operator')
  })
  after(async () => {
    await api[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  it('is told while it goes on, and its end also to whoever has lost the connection meanwhile', async () => {
    const [first, staying] = [await Watcher.open(operator), await Watcher.open(await api.person('viewer'))]
    const { id } = run.parse((await operator.ask('POST', '/api/runs', { command: 'backup', databases: ['shop'] })).body)
    const statesOf = ({ events }: Watcher) =>
      events.flatMap((event) => (event.kind === 'run' && event.run.id === id ? [event.run.state] : []))
    const linesOf = ({ events }: Watcher) =>
      events.flatMap((event) => (event.kind === 'log' && event.run === id ? [event.line] : []))
    await until(async () => (await bench.begun()).length === 1)
    await until(() => statesOf(first).includes('running') && linesOf(first).length > 0)
    assert.ok(!statesOf(first).includes('done'), 'it still waits for its hook')
    await first.leave()
    const second = await Watcher.open(operator, { 'last-event-id': '7' })
    await bench.openGate()
    await until(() => statesOf(second).includes('done') && statesOf(staying).includes('done'))
    assert.deepEqual(statesOf(staying), ['waiting', 'running', 'done'])
    assert.ok(staying.events.some((event) => event.kind === 'progress' && event.run === id))
    const log = (await operator.ask('GET', `/api/runs/${id}/log`)).body
    assert.deepEqual(linesOf(staying), log, 'the lines were told as they are kept')

    const late = await Watcher.open(operator)
    const found = runDetail.parse((await operator.ask('GET', `/api/runs/${id}`)).body)
    assert.deepEqual([found.state, found.exitCode], ['done', 0], 'whoever comes after the end asks')
    await Promise.all([second, staying, late].map((one) => one.leave()))
  })
})
