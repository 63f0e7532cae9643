import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, type Server, createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { Provider } from 'oidc-provider'
import { z } from 'zod'
import { issuedToken } from '../../shapes/access.ts'
import { type TestClient, TestApi } from '../test-api.ts'

const carl = { groups: ['dba'], email: 'carl@corp.example' }
const people: Readonly<Record<string, { groups: string[]; email: string; email_verified?: boolean }>> = {
  ann: { groups: ['staff', 'dba'], email: 'ann@corp.example' },
  bob: { groups: ['dev'], email: 'bob@corp.example' },
  eve: { groups: ['sales'], email: 'eve@corp.example' },
  carl,
  mallory: { groups: ['dba'], email: 'boss@corp.example', email_verified: false },
  odd: { groups: ['dba'], email: '<img src=x onerror=alert(1)>@x' },
  local: { groups: ['dba'], email: 'viewer@example.com' },
}

describe('single sign-on, at the certified oidc-provider', () => {
  let identity: { server: Server; url: string; asked: URL[]; allow: (redirects: string[]) => void }
  let api: TestApi

  before(async () => {
    identity = await startProvider()
    const corp = `name: Corp, issuer: '${identity.url}', client_id: pgrevive, client_secret_env: SECRET, roles: { dba: admin, dev: viewer }`
    api = await TestApi.open({
      config: `service: { sign_in: { oidc: { corp: { ${corp} }, trusted: { ${corp}, trust_email: true } } } }`,
      environment: { SECRET: 'the secret of the client' },
    })
    identity.allow(['corp', 'trusted'].map((id) => `${api.url}/api/auth/callback/${id}`))
  })
  after(async () => {
    await api[Symbol.asyncDispose]()
    identity.server.close()
    identity.server.closeAllConnections()
  })

  const signIn = async (login: string, { client = api.client(), provider = 'corp' } = {}) => {
    const begun = await client.ask('POST', '/api/auth/sign-in/social', { provider })
    assert.equal(begun.status, 200, begun.text)
    const { url } = z.object({ url: z.string() }).parse(begun.body)
    return { client, location: await follow(url, login, client) }
  }

  it('gives the highest role that the claim maps to, with PKCE and a nonce', async () => {
    const { client, location } = await signIn('ann')
    assert.equal(location, '/')
    const { user } = await client.whoAmI()
    assert.deepEqual([user?.email, user?.role, user?.viaSso], ['ann@corp.example', 'admin', true])
    const asked = identity.asked.at(-1)?.searchParams
    assert.equal(asked?.get('code_challenge_method'), 'S256')
    assert.ok((asked?.get('nonce') ?? '').length >= 16)
    assert.equal((await signIn('bob')).location, '/')
  })

  it('takes another role at the next sign-in', async () => {
    people['bob']?.groups.push('dba')
    const { client } = await signIn('bob')
    assert.equal((await client.whoAmI()).user?.role, 'admin')
  })

  it('lets nobody in without a role, nor a disabled one, and keeps the try', async () => {
    const { client, location } = await signIn('eve')
    assert.match(location, /^\/sign-in\?error=no_role/)
    assert.equal((await client.whoAmI()).user, null)
    assert.ok(!api.server.room.users.list().some(({ email }) => email === 'eve@corp.example'))
    const ann = api.server.room.users.list().find(({ email }) => email === 'ann@corp.example')
    api.server.room.users.change(ann?.id ?? '', { disabled: true })
    assert.match((await signIn('ann')).location, /^\/sign-in\?error=/)
    const { items } = api.server.room.audit.list({ before: undefined, limit: 20 })
    const tries = items.filter(({ act, outcome }) => act === 'endSso' && outcome === 'refused')
    assert.deepEqual(
      tries.map(({ by }) => by),
      ['ann@corp.example', 'eve@corp.example'],
    )
    assert.ok(items.some(({ act, by, outcome }) => act === 'endSso' && by === 'bob@corp.example' && outcome === 'done'))
  })

  it('ends the sessions and tokens of whom the provider gives no role any more, until it does again', async () => {
    const { client } = await signIn('carl')
    await client.whoAmI()
    const issued = await client.ask('POST', '/api/tokens', { name: 'ci', scopes: ['read'] })
    const authorization = `Bearer ${issuedToken.parse(issued.body).secret}`
    const byToken = async () => (await api.client().ask('GET', '/api/runs', undefined, { authorization })).status
    assert.equal(await byToken(), 200)
    carl.groups = []
    assert.match((await signIn('carl')).location, /^\/sign-in\?error=no_role/)
    assert.equal((await client.whoAmI()).user, null)
    assert.equal(await byToken(), 401)
    carl.groups = ['dev']
    assert.equal((await signIn('carl')).location, '/')
    assert.equal(await byToken(), 200)
  })

  it('takes nobody for an address that the provider does not call verified, unless told to, nor for what is none', async () => {
    assert.match((await signIn('mallory')).location, /^\/sign-in\?error=email_not_verified/)
    assert.match((await signIn('odd')).location, /^\/sign-in\?error=/)
    const known = api.server.room.users.list().map(({ email }) => email)
    assert.ok(!known.some((email) => email === 'boss@corp.example' || email.includes('<')), String(known))
    const { client, location } = await signIn('mallory', { provider: 'trusted' })
    assert.deepEqual([location, (await client.whoAmI()).user?.email], ['/', 'boss@corp.example'])
  })

  it('does not open a local account of the same address', async () => {
    await api.person('viewer')
    const { location } = await signIn('local')
    assert.match(location, /^\/sign-in\?error=/)
  })

  it('takes no answer to what this browser did not ask', async () => {
    const { client } = await signIn('bob')
    const stolen = api.client()
    const answer = await stolen.ask('GET', '/api/auth/callback/corp?code=abc&state=xyz')
    assert.equal(answer.status, 302)
    assert.match(answer.headers.location ?? '', /^\/sign-in\?error=/)
    assert.notEqual((await client.whoAmI()).user, null)
  })

  /** As a browser goes: to the provider, through its forms, and back. */
  async function follow(start: string, login: string, client: TestClient): Promise<string> {
    const cookies = new Map<string, string>()
    let next: { url: string; form?: string } = { url: start }
    for (let hop = 0; hop < 12; hop++) {
      if (next.url.startsWith(`${api.url}/api/auth/callback/`)) {
        const { pathname, search } = new URL(next.url)
        const answer = await client.ask('GET', `${pathname}${search}`)
        assert.equal(answer.status, 302, answer.text)
        return answer.headers.location ?? ''
      }
      const { response, body } = await fetchAt(next, cookies)
      const location = response.headers.location
      if (location !== undefined) {
        next = { url: new URL(location, next.url).href }
        continue
      }
      const [, action = ''] = /action="([^"]+)"/.exec(body) ?? []
      const isLogin = body.includes('name="login"')
      next = {
        url: new URL(action, next.url).href,
        form: isLogin ? `prompt=login&login=${login}&password=x` : 'prompt=consent',
      }
    }
    throw new Error('the provider leads nowhere')
  }

  async function fetchAt({ url, form }: { url: string; form?: string }, cookies: Map<string, string>) {
    if (url.startsWith(identity.url) && url.includes('/auth?')) identity.asked.push(new URL(url))
    const sent = request(url, {
      method: form === undefined ? 'GET' : 'POST',
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
    })
    sent.end(form)
    const [response] = z.tuple([z.custom<IncomingMessage>()]).parse(await once(sent, 'response'))
    for (const line of response.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    return { response, body: await text(response) }
  }
})

async function startProvider() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = z.object({ port: z.number() }).parse(server.address())
  const url = `http://127.0.0.1:${port}`
  const client = {
    client_id: 'pgrevive',
    client_secret: 'the secret of the client',
    grant_types: ['authorization_code'],
    response_types: ['code'] as ['code'],
  }
  const allow = (redirects: string[]) => {
    const provider = new Provider(url, {
      clients: [{ ...client, redirect_uris: redirects }],
      scopes: ['openid', 'email', 'profile', 'groups'],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
      pkce: { required: () => true },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, name: id, email_verified: true, ...people[id] }),
      }),
    })
    const answer = provider.callback()
    server.on('request', (asked, response) => void answer(asked, response))
  }
  return { server, url, asked: [] as URL[], allow }
}
