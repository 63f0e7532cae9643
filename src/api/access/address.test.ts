import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { invitedUser } from '../../shapes/access.ts'
import { TestApi, codeOf, goodPassword } from '../test-api.ts'
import { Addresses } from './address.ts'

const proxied = `service: { url: https://pgrevive.example, trusted_proxies: [127.0.0.1, 10.0.0.0/8, 'fd00::/8'] }`
const account = { email: 'ann@example.com', password: 'a wrong password' }

describe('the address that a request comes from', () => {
  const of = (remote: string | undefined, forwardedFor?: string) =>
    new Addresses(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']).of(remote, forwardedFor)

  it('is the other end, or what proxies of ours say of it', () => {
    assert.equal(of('203.0.113.7'), '203.0.113.7')
    assert.equal(of('127.0.0.1'), '127.0.0.1')
    assert.equal(of('127.0.0.1', '203.0.113.7'), '203.0.113.7')
    assert.equal(of('127.0.0.1', '203.0.113.7, 10.1.2.3'), '203.0.113.7')
    assert.equal(of('127.0.0.1', ' 2001:db8::7 ,10.1.2.3'), '2001:db8::7')
    assert.equal(of('fd00::1', '203.0.113.7'), '203.0.113.7')
    assert.equal(of('::ffff:127.0.0.1', '::ffff:203.0.113.7'), '203.0.113.7')
    assert.equal(of(undefined), 'unknown')
    assert.equal(
      of('127.0.0.1', '203.0.113.7:50123'),
      '203.0.113.7',
      'with a port, as Azure Application Gateway says it',
    )
    assert.equal(of('127.0.0.1', '[2001:db8::7]:50123, [fd00::2]'), '2001:db8::7')
  })

  it('is nothing that whoever asks has written themselves', () => {
    assert.equal(of('203.0.113.7', '127.0.0.1'), '203.0.113.7')
    assert.equal(of('127.0.0.1', '198.51.100.1, 203.0.113.7'), '203.0.113.7')
    assert.equal(of('127.0.0.1', '127.0.0.1, 203.0.113.7, 10.1.2.3'), '203.0.113.7')
    for (const nonsense of ['', ',', 'unknown', '_hidden', "'; drop table audit; --", '203.0.113.7,'])
      assert.equal(of('127.0.0.1', nonsense), '127.0.0.1', nonsense)
    assert.equal(of('127.0.0.1', '198.51.100.1, nonsense, 10.1.2.3'), '10.1.2.3')
  })
})

describe('behind a proxy', () => {
  const throughProxy = { origin: 'https://pgrevive.example', host: 'pgrevive.example' }
  const signIn = (api: TestApi, from: string, headers: Record<string, string>) =>
    api.client({ from }).ask('POST', '/api/auth/sign-in/email', account, headers)
  const kept = (api: TestApi) => api.server.room.audit.list({ before: undefined, limit: 1 }).items[0]?.from

  it('tries are counted and kept under the address that the proxy names', async () => {
    await using api = await TestApi.open({ config: proxied })
    const from = (address: string) => signIn(api, '127.0.0.1', { ...throughProxy, 'x-forwarded-for': address })
    for (let n = 0; n < 6; n++) assert.equal(codeOf(await from(`198.51.100.${n}, 203.0.113.7`)), 'sign-in-failed')
    assert.equal(kept(api), '203.0.113.7')
    assert.equal(codeOf(await from('203.0.113.7')), 'tries-exhausted')
    assert.equal(codeOf(await from('203.0.113.8')), 'sign-in-failed')
    assert.equal(kept(api), '203.0.113.8')
    assert.equal(api.lines.at(-1)?.address, '203.0.113.8')
  })

  it('whoever reaches the service past it changes nothing by such headers', async () => {
    await using api = await TestApi.open({ config: proxied })
    for (let n = 0; n < 7; n++) {
      const spoofed = `203.0.113.${n}`
      const answer = await signIn(api, '127.0.0.2', {
        ...throughProxy,
        'x-forwarded-for': spoofed,
        forwarded: `for=${spoofed}`,
        'x-real-ip': spoofed,
        'x-pgrevive-address': spoofed,
      })
      assert.equal(codeOf(answer), n < 6 ? 'sign-in-failed' : 'tries-exhausted')
      assert.equal(kept(api), '127.0.0.2')
    }
  })

  it('that nobody has named is not believed', async () => {
    await using api = await TestApi.open()
    const answer = await signIn(api, '127.0.0.1', { 'x-forwarded-for': '203.0.113.7' })
    assert.equal(codeOf(answer), 'sign-in-failed')
    assert.equal(kept(api), '127.0.0.1')
  })

  it('"url:" alone says whether it is https, and under which name', async () => {
    const forged = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-port': '443' }
    await using plain = await TestApi.open()
    const admin = await plain.person('admin')
    const own = { email: 'admin@example.com', password: goodPassword }
    const signedIn = await plain.client().ask('POST', '/api/auth/sign-in/email', own, forged)
    assert.equal(signedIn.status, 200, signedIn.text)
    assert.doesNotMatch(String(signedIn.headers['set-cookie']), /secure/i)
    assert.equal(signedIn.headers['strict-transport-security'], undefined)
    const wanted = { name: 'Ann', email: 'ann@example.com', role: 'viewer' }
    const { link } = invitedUser.parse((await admin.ask('POST', '/api/users', wanted, forged)).body)
    assert.ok(link.startsWith(`${plain.url}/invitation#`), link)
    const foreign = { ...forged, origin: 'https://evil.example' }
    assert.equal(codeOf(await admin.ask('POST', '/api/users', wanted, foreign)), 'access-denied')

    await using api = await TestApi.open({ config: proxied })
    const secure = await api.client().ask('GET', '/api/me', undefined, { 'x-forwarded-proto': 'http' })
    assert.match(String(secure.headers['strict-transport-security']), /max-age/)
  })
})
