import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { issuedToken } from '../../shapes/access.ts'
import { csrfHeader } from '../guard.ts'
import { TestApi, codeOf, goodPassword } from '../test-api.ts'
import { beginSecondFactor, shownCode } from './test-second-factor.ts'

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
    const { totpURI } = await beginSecondFactor(person)
    const turnOn = await person.ask('POST', '/api/auth/two-factor/verify-totp', { code: shownCode(totpURI) }, withToken)
    assert.equal(codeOf(turnOn), 'sign-in-failed')
    assert.equal((await person.whoAmI()).user?.totp, false)
  })
})
