import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, type Server, createServer } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { alert, channel, channelTest } from '../../shapes/alert.ts'
import { page } from '../../shapes/common.ts'
import { secretNames } from '../../shapes/service.ts'
import { type Answer, type TestClient, TestApi, codeOf } from '../test-api.ts'

const refused = (answer: Answer, status: number, code: string, message = /./) => {
  assert.deepEqual([answer.status, codeOf(answer)], [status, code], answer.text)
  assert.match(answer.text, message)
}

describe('channels', () => {
  const received: { path: string; headers: IncomingHttpHeaders; body: string }[] = []
  let status = 200
  let receiver: Server
  let base = ''
  let api: TestApi
  let admin: TestClient

  before(async () => {
    api = await TestApi.open({ config: 'service: { reach_private: [localhost] }\nalerts: {} # later\n' })
    admin = await api.person('admin')
    receiver = createServer((request, response) => {
      void text(request).then((body) => {
        received.push({ path: request.url ?? '', headers: request.headers, body })
        response.writeHead(status).end()
      })
    }).listen(0, 'localhost')
    await once(receiver, 'listening')
    base = `http://localhost:${z.object({ port: z.number() }).parse(receiver.address()).port}`
  })
  after(async () => {
    await api[Symbol.asyncDispose]()
    receiver.close()
  })

  const put = (entry: object, name = 'ops', client = admin) => client.ask('PUT', `/api/channels/${name}`, entry)
  const test = async () => channelTest.parse((await admin.ask('POST', '/api/channels/ops/test')).body)
  const enter = (name: string, value: string) => admin.ask('PUT', `/api/secrets/${name}`, { value })
  const webhook = (more: object = {}) => ({ kind: 'webhook', url_file: 'pgrevive.secrets/hook', ...more })

  it('are added with secrets that nobody sees again, and tried', async () => {
    await enter('hook', `${base}/very-secret`)
    await enter('signing', 'whsec_c2VjcmV0')
    const made = channel.parse((await put(webhook({ secret_file: 'pgrevive.secrets/signing' }))).body)
    assert.deepEqual([made.name, made.kind, made.least, made.lastDelivery], ['ops', 'webhook', 'warning', null])
    assert.deepEqual(await test().then(({ ok, error }) => [ok, error]), [true, null])
    const [last] = received.splice(0)
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = last?.headers ?? {}
    const signed = createHmac('sha256', 'secret')
      .update(`${String(id)}.${String(at)}.${last?.body}`)
      .digest('base64')
    assert.deepEqual([last?.path, signature], ['/very-secret', `v1,${signed}`])
    const told = z.object({ link: z.null(), service: z.string(), alert: z.object({ text: z.string() }) })
    const { service, alert: tried } = told.parse(JSON.parse(last?.body ?? ''))
    assert.equal(service, hostname(), 'as alerts have it where nobody said how people reach the dashboard')
    assert.match(tried.text, /Alerts have no link/)
    const seen = await Promise.all(
      ['channels', 'settings', 'secrets', 'audit'].map((what) => admin.ask('GET', `/api/${what}`)),
    )
    assert.doesNotMatch(seen.map(({ text: all }) => all).join(), /very-secret|c2VjcmV0/)
    assert.match(await readFile(join(api.directory, 'pgrevive.yaml'), 'utf8'), /# later/)
  })

  it('that do not work say why, and what to do', async () => {
    status = 500
    const failed = await test()
    assert.equal(failed.ok, false)
    assert.match(failed.error ?? '', /500/)
    status = 200
    await enter('hook', 'http://127.0.0.1:1/')
    assert.match((await test()).error ?? '', /127\.0\.0\.1.*reach_private/)
    assert.deepEqual(received.splice(0).length, 1)
  })

  it('become others, whose secrets must be entered anew to go elsewhere', async () => {
    await enter('topic', 'tk_secret')
    const ntfy = { kind: 'ntfy', url: base, topic: 'backups', token_file: 'pgrevive.secrets/topic', least: 'critical' }
    const made = channel.parse((await put(ntfy)).body)
    assert.deepEqual([made.kind, made.target, made.least], ['ntfy', `${new URL(base).host}, topic backups`, 'critical'])
    assert.equal((await test()).ok, true)
    assert.equal(received.splice(0)[0]?.headers.authorization, 'Bearer tk_secret')
    const other = await api.person('admin', 'other@example.com')
    const elsewhere = { ...ntfy, url: 'https://evil.example' }
    refused(await put(elsewhere, 'ops', other), 403, 'change-refused', /enter that anew/)
    refused(await put({ ...elsewhere, kind: 'ntfy' }, 'second', other), 403, 'change-refused', /enter it anew/)
    const listed = channel.array().parse((await admin.ask('GET', '/api/channels')).body)
    assert.deepEqual(
      listed.map(({ name, target }) => [name, target]),
      [['ops', made.target]],
    )
  })

  it('keep a secret URL out of pgrevive.yaml, and out of the way when it is one no more', async () => {
    const lies = async () => [await readFile(join(api.directory, 'pgrevive.yaml'), 'utf8'), await names()] as const
    const names = async () => secretNames.parse((await admin.ask('GET', '/api/secrets')).body).names
    const made = channel.parse((await put({ kind: 'slack', url: `${base}/in-the-clear` }, 'chat')).body)
    assert.equal(made.name, 'chat')
    const [text, kept] = await lies()
    assert.doesNotMatch(text, /in-the-clear/)
    assert.match(text, /url_file: pgrevive\.secrets\/chat-url/)
    assert.ok(kept.includes('chat-url'))
    assert.equal(channelTest.parse((await admin.ask('POST', '/api/channels/chat/test')).body).ok, true)
    assert.equal(received.splice(0)[0]?.path, '/in-the-clear')
    refused(await put({ kind: 'slack', url: 'gopher://x' }, 'chat'), 422, 'config-invalid', /url/)
    refused(await put({ kind: 'slack', url: 'https://x.example/${HOME}' }, 'chat'), 403, 'change-refused')
    assert.deepEqual(await names(), kept)
    await put({ kind: 'slack', url: `${base}/another` }, 'chat')
    assert.deepEqual(await names(), [...kept.filter((name) => name !== 'chat-url'), 'chat-url-2'].toSorted())
    assert.equal((await admin.ask('DELETE', '/api/channels/chat')).status, 200)
    assert.ok(!(await names()).some((name) => name.startsWith('chat')))
  })

  it('do not take the secrets of somebody else along', async () => {
    const other = await api.person('admin', 'third@example.com')
    const entry = { kind: 'webhook', url_file: 'pgrevive.secrets/door', token_file: 'pgrevive.secrets/bearer' }
    await enter('door', `${base}/good`)
    await enter('bearer', 'B-SECRET')
    assert.equal((await put(entry, 'hook')).status, 200)
    const enterAs = (name: string) => other.ask('PUT', `/api/secrets/${name}`, { value: `${base}/evil` })
    refused(await enterAs('door'), 403, 'change-refused', /token_file would be sent to another place/)
    assert.equal((await enterAs('elsewhere')).status, 200)
    const elsewhere = { ...entry, url_file: 'pgrevive.secrets/elsewhere' }
    refused(await put(elsewhere, 'hook', other), 403, 'change-refused', /enter that anew/)
    refused(
      await put({ kind: 'webhook', url: base, token_file: entry.token_file }, 'hook', other),
      403,
      'change-refused',
    )
    assert.equal((await other.ask('DELETE', '/api/channels/hook')).status, 200)
    refused(await put(elsewhere, 'hook2', other), 403, 'change-refused', /enter it anew/)
    const { names } = secretNames.parse((await admin.ask('GET', '/api/secrets')).body)
    assert.ok(!names.includes('door') && !names.includes('bearer'))
    assert.deepEqual(received, [])
  })

  it('are refused where something is wrong with them, and nothing changes', async () => {
    refused(await put({ kind: 'pigeon' }), 400, 'usage-invalid', /kind: /)
    const deep = `{"kind":"webhook","url":"${base}","template":${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}}`
    refused(await admin.ask('PUT', '/api/channels/ops', deep), 400, 'usage-invalid', /levels/)
    refused(await put({ kind: 'slack' }), 422, 'config-invalid', /url, url_env or url_file/)
    refused(await put({ kind: 'ntfy', topic: 'x', colour: 'red' }), 422, 'config-invalid', /colour/)
    refused(await put({ kind: 'slack', url_env: 'HOME' }), 403, 'change-refused', /variable of the environment/)
    refused(await put({ kind: 'slack', url_file: '/etc/passwd' }), 403, 'change-refused', /outside/)
    refused(await put({ kind: 'slack', url: 'file:///etc/passwd' }), 422, 'config-invalid', /url/)
    const anew = await admin.ask('PUT', '/api/channels/ops', webhook(), { 'if-none-match': '*' })
    refused(anew, 409, 'request-conflict', /channel .*ops.* already/)
    refused(await put(webhook(), encodeURIComponent('<script>')), 400, 'usage-invalid', /name: must be letters/)
    for (const role of ['viewer', 'operator'] as const) {
      const person = await api.person(role)
      refused(await put(webhook(), 'ops', person), 403, 'access-denied')
      refused(await person.ask('POST', '/api/channels/ops/test'), 403, 'access-denied')
      refused(await person.ask('DELETE', '/api/channels/ops'), 403, 'access-denied')
      assert.equal(channel.array().parse((await person.ask('GET', '/api/channels')).body).length, 1)
    }
  })

  it('are removed, once', async () => {
    assert.equal((await admin.ask('DELETE', '/api/channels/ops')).status, 200)
    assert.deepEqual((await admin.ask('GET', '/api/channels')).body, [])
    refused(await admin.ask('DELETE', '/api/channels/ops'), 404, 'not-found')
    refused(await admin.ask('POST', '/api/channels/ops/test'), 404, 'not-found')
  })
})

describe('alerts', () => {
  it('are listed page by page, and somebody sees to one', async () => {
    await using api = await TestApi.open()
    const raised = ['one', 'two', 'three'].map((subject) =>
      api.service.alerts.raise({
        kind: 'objective',
        severity: 'warning',
        subject,
        title: `<b>${subject}</b>`,
        text: 'is late',
        remedy: null,
      }),
    )
    api.service.alerts.close('objective', 'two')
    const [viewer, operator] = [await api.person('viewer'), await api.person('operator')]
    const list = async (query: string) => page(alert).parse((await viewer.ask('GET', `/api/alerts?${query}`)).body)
    const first = await list('limit=2')
    assert.deepEqual(
      first.items.map(({ subject }) => subject),
      ['three', 'two'],
    )
    const second = await list(`limit=2&before=${first.next}`)
    assert.deepEqual([second.items.map(({ subject }) => subject), second.next], [['one'], null])
    assert.deepEqual(
      (await list('open=true')).items.map(({ subject }) => subject),
      ['three', 'one'],
    )
    const path = `/api/alerts/${raised[0]?.id}/acknowledge`
    refused(await viewer.ask('POST', path), 403, 'access-denied')
    const seen = alert.parse((await operator.ask('POST', path)).body)
    assert.deepEqual([seen.acknowledgedBy, seen.closedAt], ['operator@example.com', null])
    refused(await operator.ask('POST', '/api/alerts/01JD8Y00000000000000000000/acknowledge'), 404, 'not-found')
    refused(await viewer.ask('GET', '/api/alerts?open=maybe'), 400, 'usage-invalid', /open: /)
  })
})
