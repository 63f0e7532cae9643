import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { SMTPServer } from 'smtp-server'
import type { EmailTarget, WebhookTarget } from '../../../config/config-channels.ts'
import { Reach } from '../../reach.ts'
import { sendPing } from './ping.ts'
import { sendNotice } from './send-notice.ts'
import { hostileName, testNotice } from './test-notice.ts'

const environment = { SECRET: 'whsec_c2VjcmV0', TOKEN: '12345:hunter2', PASSWORD: 'hunter2', HOOK: '' }
const local = { reach: new Reach(['localhost']), environment }

interface Received {
  readonly path: string
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

describe('a channel', () => {
  const received: Received[] = []
  let answer: (request: Received, response: ServerResponse) => void = (_, response) => response.end('ok')
  let server: Server
  let base: string

  before(async () => {
    server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (part: string) => (body += part))
      request.on('end', () => {
        const one = { path: request.url ?? '', method: request.method ?? '', headers: request.headers, body }
        received.push(one)
        answer(one, response)
      })
    })
    server.listen(0, 'localhost')
    await once(server, 'listening')
    base = `http://localhost:${portOf(server)}`
    environment.HOOK = `${base}/services/T0/very-secret`
  })
  after(() => void server.close())

  function webhook(changes: Partial<WebhookTarget> = {}): WebhookTarget {
    return {
      kind: 'webhook',
      url: { kind: 'text', text: `${base}/hook` },
      secret: undefined,
      token: undefined,
      template: undefined,
      ...changes,
    }
  }

  it('of a webhook gets JSON whose signature can be checked', async () => {
    answer = (_, response) => response.writeHead(204).end()
    await sendNotice(testNotice(), webhook({ secret: { kind: 'variable', name: 'SECRET' } }), local)
    const last = received.at(-1)
    assert.ok(last)
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = last.headers
    const expected = createHmac('sha256', 'secret')
      .update(`${String(id)}.${String(at)}.${last.body}`)
      .digest('base64')
    assert.equal(signature, `v1,${expected}`)
    assert.equal(last.headers['content-type'], 'application/json')
    const body: unknown = JSON.parse(last.body)
    assert.ok(typeof body === 'object' && body && 'notice' in body && body.notice === 'opened')
  })

  it('gets what it was told to: each at its own path, with its own token', async () => {
    answer = (_, response) => response.end('{"ok":true}')
    const token = { kind: 'variable', name: 'TOKEN' } as const
    await sendNotice(testNotice(), { kind: 'telegram', url: base, token, chatId: '@ops' }, local)
    assert.equal(received.at(-1)?.path, '/bot12345:hunter2/sendMessage')
    await sendNotice(testNotice(), { kind: 'ntfy', url: base, topic: 'backups', token }, local)
    assert.equal(received.at(-1)?.headers.authorization, 'Bearer 12345:hunter2')
    await sendNotice(testNotice(), { kind: 'slack', url: { kind: 'variable', name: 'HOOK' } }, local)
    assert.equal(received.at(-1)?.path, '/services/T0/very-secret')
    await sendPing({ kind: 'text', text: `${base}/ping/abc` }, 'start', local)
    assert.deepEqual([received.at(-1)?.method, received.at(-1)?.path], ['GET', '/ping/abc/start'])
  })

  it('that refuses is quoted, without the secret that it was sent', async () => {
    const token = { kind: 'variable', name: 'TOKEN' } as const
    answer = ({ path }, response) => response.writeHead(404).end(`{"description":"no ${path}\u001b[2J"}`)
    await assert.rejects(
      sendNotice(testNotice(), { kind: 'telegram', url: base, token, chatId: 1 }, local),
      (error) => {
        assert.ok(error instanceof Error)
        assert.match(error.message, /localhost:\d+ answered with status 404: .*no \/bot…\/sendMessage\\x1b/)
        return true
      },
    )
    const slack = { kind: 'slack', url: { kind: 'variable', name: 'HOOK' } } as const
    await assert.rejects(
      sendNotice(testNotice(), slack, local),
      ({ message }: Error) => !message.includes('very-secret'),
    )
    await assert.rejects(
      sendNotice(testNotice(), { kind: 'slack', url: { kind: 'variable', name: 'NOWHERE' } }, local),
      { code: 'config-invalid', message: /no variable NOWHERE/ },
    )
  })

  it('leads nowhere else: no redirect is followed, and no endless answer is read', async () => {
    answer = (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
    await assert.rejects(sendNotice(testNotice(), webhook(), local), {
      message: /status 302/,
      hint: /redirects are not followed/,
    })
    answer = (_, response) => {
      response.writeHead(500)
      const write = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    }
    await assert.rejects(sendNotice(testNotice(), webhook(), local), { message: /status 500: x{199}…$/ })
  })

  it('on this machine or in a private network is refused, unless pgrevive.yaml on the machine allows it', async () => {
    const before = received.length
    const strict = { ...local, reach: new Reach([]) }
    await assert.rejects(sendNotice(testNotice(), webhook(), strict), {
      code: 'address-refused',
      hint: /reach_private: \[localhost\]/,
    })
    for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', '169.254.169.254', '0x7f.1']) {
      const url = { kind: 'text', text: base.replace('localhost', host) } as const
      await assert.rejects(sendNotice(testNotice(), webhook({ url }), strict), { code: 'address-refused' })
    }
    await assert.rejects(sendNotice(testNotice(), emailTarget({ host: 'localhost', port: 1 }), strict), {
      code: 'address-refused',
    })
    assert.equal(received.length, before)
  })

  it('that is gone is told in words', async () => {
    const url = { kind: 'text', text: 'http://localhost:1/' } as const
    await assert.rejects(sendNotice(testNotice(), webhook({ url }), local), {
      code: 'channel-failed',
      message: /localhost:1 did not take it/,
    })
  })
})

describe('mail', () => {
  const received: { from: string; to: string[]; text: string; user: string | undefined; secure: boolean }[] = []
  let directory: string
  let server: SMTPServer

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgrevive-mail-'))
    const request =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost'
    await promisify(execFile)('openssl', [...request.split(' '), '-keyout', 'key', '-out', 'certificate'], {
      cwd: directory,
    })
    server = new SMTPServer({
      key: await readFile(join(directory, 'key')),
      cert: await readFile(join(directory, 'certificate')),
      onAuth: ({ username, password }, _, done) =>
        password === 'hunter2' ? done(null, { user: username ?? '' }) : done(new Error('wrong password: hunter3')),
      onRcptTo: ({ address }, _, done) => done(address.startsWith('nobody') ? new Error('no such user') : null),
      onData: (stream, { envelope, user, secure }, done) => {
        let text = ''
        stream.on('data', (part: Buffer) => (text += part.toString()))
        stream.on('end', () => {
          const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
          received.push({
            from,
            to: envelope.rcptTo.map(({ address }) => address),
            text,
            user: user ? String(user) : undefined,
            secure,
          })
          done()
        })
      },
      logger: false,
    })
    server.listen(0, 'localhost')
    await once(server.server, 'listening')
  })
  after(async () => {
    await new Promise<void>((resolve) => server.close(resolve))
    await rm(directory, { recursive: true })
  })

  const mine = (changes: Partial<EmailTarget['smtp']> = {}) =>
    emailTarget({
      host: 'localhost',
      port: portOf(server.server),
      user: 'me',
      password: { kind: 'variable', name: 'PASSWORD' },
      caFile: join(directory, 'certificate'),
      ...changes,
    })

  it('goes over STARTTLS to a server that knows the user, one thread an alert', async () => {
    await sendNotice(testNotice({ alert: { title: hostileName } }), mine(), local)
    await sendNotice(testNotice({ kind: 'closed' }), mine(), local)
    const [opened, closed] = received
    assert.ok(opened && closed)
    assert.deepEqual(
      [opened.from, opened.to, opened.user, opened.secure],
      ['pgrevive@example.com', ['ops@example.com', 'dba@example.com'], 'me', true],
    )
    const [head = ''] = opened.text.split('\r\n\r\n')
    assert.ok(!/^Bcc:/im.test(head), 'a name adds no header')
    assert.match(opened.text, /^Auto-Submitted: auto-generated/m)
    const [, id] = /^Message-ID: (<.*>)/im.exec(head) ?? []
    assert.ok(id !== undefined && closed.text.includes(`In-Reply-To: ${id}`))
  })

  it('is not sent where TLS is not as it should be, and never tells the password', async () => {
    const before = received.length
    await assert.rejects(sendNotice(testNotice(), mine({ caFile: undefined }), local), {
      code: 'channel-failed',
      message: /self-signed/,
    })
    const other = join(directory, 'other-password')
    await writeFile(other, 'hunter3\n')
    await assert.rejects(
      sendNotice(testNotice(), mine({ password: { kind: 'file', path: other } }), local),
      (error) => {
        assert.ok(error instanceof Error)
        assert.match(error.message, /^the mail server localhost:\d+ did not take it: .*wrong password: …/)
        return true
      },
    )
    assert.equal(received.length, before)
  })

  it('that one of the recipients does not get is told', async () => {
    const target = { ...mine(), to: ['nobody@example.com', 'ops@example.com'] }
    await assert.rejects(sendNotice(testNotice(), target, local), { message: /refused 1 of the recipients/ })
  })
})

function emailTarget(smtp: Partial<EmailTarget['smtp']>): EmailTarget {
  return {
    kind: 'email',
    to: ['ops@example.com', 'dba@example.com'],
    from: 'pgrevive@example.com',
    smtp: {
      host: 'localhost',
      port: 587,
      user: undefined,
      password: undefined,
      tls: 'starttls',
      caFile: undefined,
      ...smtp,
    },
  }
}

function portOf(server: { address(): string | AddressInfo | null }): number {
  const address = server.address()
  assert.ok(address && typeof address === 'object')
  return address.port
}
