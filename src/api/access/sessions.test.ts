import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import { issuedToken } from '../../shapes/access.ts'
import { csrfHeader } from '../guard.ts'
import { type TestClient, TestApi, codeOf, goodPassword } from '../test-api.ts'

const session = 'pgrevive.session_token'

describe('sessions', () => {
  it('are cookies that scripts can not read, and no answer holds what is in them', async () => {
    await using api = await TestApi.open()
    await api.person('viewer')
    const client = api.client()
    const answer = await client.signIn('viewer@example.com', goodPassword)
    const [line = ''] = answer.headers['set-cookie']?.filter((one) => one.startsWith(session)) ?? []
    assert.match(line, /; HttpOnly/i)
    assert.match(line, /; SameSite=Lax/i)
    const [secret = ''] = decodeURIComponent(client.cookies.get(session) ?? '').split('.')
    assert.ok(secret.length > 20)
    assert.ok(!answer.text.includes(secret))
  })

  it('are secure cookies behind https', async () => {
    await using api = await TestApi.open({ config: 'service: { url: https://pgrevive.example }' })
    const { users } = api.server.room
    const { token } = users.invite({ name: 'Ann', email: 'ann@example.com', role: 'viewer' })
    await users.acceptInvitation({ token, password: goodPassword })
    const answer = await api
      .client()
      .ask(
        'POST',
        '/api/auth/sign-in/email',
        { email: 'ann@example.com', password: goodPassword },
        { origin: 'https://pgrevive.example', host: 'pgrevive.example' },
      )
    assert.match(answer.headers['set-cookie']?.[0] ?? '', /^__Secure-pgrevive\.session_token=.*; Secure/)
    assert.match(answer.headers['strict-transport-security'] ?? '', /max-age/)
  })

  it('begin anew with each sign-in, and the one before ends', async () => {
    await using api = await TestApi.open()
    const client = await api.person('viewer')
    const old = client.cookies.get(session) ?? ''
    await client.signIn('viewer@example.com', goodPassword)
    assert.notEqual(client.cookies.get(session), old)
    const thief = api.client()
    thief.cookies.set(session, old)
    assert.equal((await thief.whoAmI()).user, null)
    assert.notEqual((await client.whoAmI()).user, null)
  })

  it('end at sign-out, at another role, when the account is disabled, and at another password', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    const person = await api.person('operator')
    const { user } = await person.whoAmI()
    const id = user?.id ?? ''
    const ended = async (what: string, act: () => Promise<{ status: number; text: string }>) => {
      const other = api.client()
      await other.signIn('operator@example.com', goodPassword)
      assert.notEqual((await other.whoAmI()).user, null, `signed in before ${what}`)
      const { status, text } = await act()
      assert.equal(status, 200, text)
      assert.equal((await other.whoAmI()).user, null, what)
      return other
    }
    await ended('another role', () => admin.ask('PATCH', `/api/users/${id}`, { role: 'viewer' }))
    await ended('disabling', () => admin.ask('PATCH', `/api/users/${id}`, { disabled: true }))
    assert.equal(codeOf(await person.signIn('operator@example.com', goodPassword)), 'sign-in-failed')
    await admin.ask('PATCH', `/api/users/${id}`, { disabled: false })
    await person.signIn('operator@example.com', goodPassword)
    const change = { currentPassword: goodPassword, newPassword: 'quite another password' }
    await ended('another password', () => person.ask('POST', '/api/auth/change-password', change))
    assert.notEqual((await person.whoAmI()).user, null, 'whoever changes it stays')
    const copy = new Map(person.cookies)
    assert.equal((await person.ask('POST', '/api/auth/sign-out')).status, 200)
    const thief = api.client()
    for (const [name, value] of copy) thief.cookies.set(name, value)
    assert.equal((await thief.whoAmI()).user, null)
  })

  it('change nothing for a page of somebody else', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    const wanted = { name: 'Eve', email: 'eve@example.com', role: 'admin' }
    const tries: [string, Record<string, string | undefined>][] = [
      ['without the header', { [csrfHeader]: undefined }],
      ['with one of another session', { [csrfHeader]: 'x'.repeat(43) }],
      ['from another origin', { origin: 'https://evil.example' }],
      ['from a sandboxed frame', { origin: 'null' }],
      ['from another site', { origin: undefined, 'sec-fetch-site': 'cross-site' }],
      ['from another port', { origin: undefined, 'sec-fetch-site': 'same-site' }],
      ['from nowhere', { origin: undefined }],
    ]
    for (const [how, headers] of tries) {
      const answer = await admin.ask('POST', '/api/users', wanted, headers)
      assert.equal(codeOf(answer), 'access-denied', how)
    }
    const form = await admin.ask('POST', '/api/users', 'name=Eve', {
      'content-type': 'application/x-www-form-urlencoded',
    })
    assert.equal(form.status, 400)
    assert.equal((await admin.ask('POST', '/api/users', wanted)).status, 200)
    const refused = api.server.room.audit
      .list({ before: undefined, limit: 50 })
      .items.filter(({ outcome }) => outcome === 'refused')
    assert.equal(refused.length, tries.length)
    assert.ok(refused.every(({ act, by }) => act === 'inviteUser' && by === 'admin@example.com'))
  })

  it('are not opened for a name that somebody has pointed here', async () => {
    await using api = await TestApi.open()
    const answer = await api.client().ask('GET', '/api/me', undefined, { host: 'evil.example' })
    assert.equal(codeOf(answer), 'access-denied')
    assert.equal(
      (await api.client().ask('GET', '/api/me', undefined, { host: `localhost:${new URL(api.url).port}` })).status,
      200,
    )
  })
})

describe('a token', () => {
  it('does nothing in the name of a session whose cookie comes along', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    const person = await api.person('viewer')
    const issued = await admin.ask('POST', '/api/tokens', { name: 'ci', scopes: ['read'] })
    const { secret } = issuedToken.parse(issued.body)
    const withToken = { authorization: `Bearer ${secret}`, origin: undefined, [csrfHeader]: undefined }
    for (const [path, body] of [
      ['/api/auth/two-factor/enable', { password: goodPassword }],
      ['/api/auth/change-password', { currentPassword: goodPassword, newPassword: 'quite another password' }],
      ['/api/auth/sign-out', undefined],
    ] as const) {
      assert.equal(codeOf(await person.ask('POST', path, body, withToken)), 'access-denied', path)
    }
    const { totpURI } = await begin(person)
    const turnOn = await person.ask('POST', '/api/auth/two-factor/verify-totp', { code: totp(totpURI) }, withToken)
    assert.equal(codeOf(turnOn), 'sign-in-failed')
    assert.equal((await person.whoAmI()).user?.totp, false)
  })
})

describe('tries at signing in', () => {
  it('are limited by account and address, also many at once and after a restart, and are kept in the audit log', async () => {
    await using directory = await createTemporaryDirectory('api')
    const account = { email: 'Admin@example.com', password: 'a wrong password' }
    {
      await using api = await TestApi.open({ directory: directory.path })
      await api.person('admin')
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => api.client().ask('POST', '/api/auth/sign-in/email', account)),
      )
      const codes = answers.map(codeOf)
      assert.equal(codes.filter((code) => code === 'sign-in-failed').length, 6)
      assert.equal(codes.filter((code) => code === 'tries-exhausted').length, 4)
    }
    await using api = await TestApi.open({ directory: directory.path })
    assert.equal(codeOf(await api.client().signIn('admin@example.com', goodPassword)), 'tries-exhausted')
    const kept = api.server.room.audit.list({ before: undefined, limit: 50 }).items
    const tries = kept.filter(({ act, outcome }) => act === 'signIn' && outcome === 'refused')
    assert.equal(tries.length, 11)
    assert.ok(tries.every(({ by }) => by?.toLowerCase() === 'admin@example.com'))
    assert.ok(!JSON.stringify(kept).includes('a wrong password'))
  })

  it('tell nothing about whether there is such an account', async () => {
    await using api = await TestApi.open()
    await api.person('viewer')
    const known = await api.client().signIn('viewer@example.com', 'a wrong password')
    const unknown = await api.client().signIn('nobody@example.com', 'a wrong password')
    assert.deepEqual(known.body, unknown.body)
  })
})

describe('a second factor', () => {
  it('is asked for after the password, and a recovery code stands in for it once', async () => {
    await using api = await TestApi.open()
    const person = await api.person('operator')
    const { totpURI, backupCodes } = await begin(person)
    assert.equal((await person.whoAmI()).user?.totp, false)
    const turnedOn = await person.ask('POST', '/api/auth/two-factor/verify-totp', { code: totp(totpURI) })
    assert.equal(turnedOn.status, 200, turnedOn.text)
    assert.equal((await person.whoAmI()).user?.totp, true)

    const browser = api.client()
    const half = await browser.signIn('operator@example.com', goodPassword)
    assert.deepEqual(half.body, { twoFactorRedirect: true })
    assert.equal((await browser.whoAmI()).user, null)
    assert.equal(
      codeOf(await browser.ask('POST', '/api/auth/two-factor/verify-totp', { code: '000000' })),
      'sign-in-failed',
    )
    assert.equal((await browser.ask('POST', '/api/auth/two-factor/verify-totp', { code: totp(totpURI) })).status, 200)
    assert.equal((await browser.whoAmI()).user?.totp, true)

    const [code = ''] = backupCodes
    for (const expected of [200, 401]) {
      const lost = api.client()
      await lost.signIn('operator@example.com', goodPassword)
      assert.equal((await lost.ask('POST', '/api/auth/two-factor/verify-backup-code', { code })).status, expected)
    }
  })
})

async function begin(person: TestClient): Promise<{ totpURI: string; backupCodes: string[] }> {
  const answer = await person.ask('POST', '/api/auth/two-factor/enable', { password: goodPassword })
  return z.object({ totpURI: z.string(), backupCodes: z.array(z.string()) }).parse(answer.body)
}

/** RFC 6238, as an authenticator does it. */
function totp(uri: string): string {
  const bits = Array.from(new URL(uri).searchParams.get('secret') ?? '')
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)))
  const mac = createHmac('sha1', key).update(counter).digest()
  const value = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff
  return String(value % 1_000_000).padStart(6, '0')
}
