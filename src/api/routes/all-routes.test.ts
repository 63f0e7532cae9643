import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { z } from 'zod'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import { roles, scopes } from '../../shapes/common.ts'
import { issuedToken } from '../../shapes/access.ts'
import { runCommands, scopeOfCommand } from '../../shapes/run.ts'
import { describeApi } from '../app.ts'
import { accessField } from '../route.ts'
import { TestApi, codeOf } from '../test-api.ts'

const described = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        [accessField]: z.string(),
        operationId: z.string(),
        security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
      }),
    ),
  ),
})

/** Each with the scope that it needs, and an address that leads to nothing. */
function routesOf(api: TestApi) {
  const { paths } = described.parse(describeApi(api.server.app))
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({
      method: method.toUpperCase(),
      path: path.replace('{id}', '01JD8Y0000000000000000NONE').replaceAll(/\{\w+\}/g, 'nothing'),
      access: String(route[accessField]),
      act: route.operationId,
      isForTokens: route[accessField] === 'anyone' || (route.security ?? []).some(({ token }) => token !== undefined),
    })),
  )
}

/** They never end, or end the session. */
const apart = ['watchEvents', 'signOut']

describe('every route', () => {
  it('has a scope and a name of its own, and the description is valid', async () => {
    await using api = await TestApi.open()
    const routes = routesOf(api)
    const allowed = [...scopes, 'signed-in', 'anyone']
    assert.deepEqual(
      routes.filter(({ access }) => !allowed.includes(access)),
      [],
    )
    assert.equal(new Set(routes.map(({ act }) => act)).size, routes.length)
    assert.deepEqual(
      routes
        .filter(({ access }) => access === 'anyone')
        .map(({ act }) => act)
        .toSorted(),
      [
        'acceptInvitation',
        'beginSso',
        'describe',
        'endSso',
        'makeFirstAccount',
        'me',
        'signIn',
        'useRecoveryCode',
        'verifyCode',
      ],
    )
    const result = await new Validator().validate({ ...describeApi(api.server.app) })
    assert.deepEqual([result.valid, result.errors ?? []], [true, []])
  })

  it('lets each role do what it may, and nothing more', async () => {
    await using api = await TestApi.open()
    for (const role of ['viewer', 'operator', 'admin'] as const) {
      const person = await api.person(role)
      const own: readonly string[] = [...roles[role], 'signed-in', 'anyone']
      for (const { method, path, access, act } of routesOf(api)) {
        if (apart.includes(act)) continue
        const answer = await person.ask(method, path, method === 'GET' || method === 'DELETE' ? undefined : {})
        const isRefused = answer.status === 403 && codeOf(answer) === 'access-denied'
        assert.equal(isRefused, !own.includes(access), `${role} ${act}: ${answer.status} ${answer.text.slice(0, 200)}`)
      }
      for (const command of runCommands) {
        const body = { command, databases: [], refresh: 'x', way: 'undo', to: 'x' }
        const answer = await person.ask('POST', '/api/runs', body)
        const isRefused = answer.status === 403
        if (command !== 'list') assert.equal(isRefused, !own.includes(scopeOfCommand[command]), `${role} ${command}`)
      }
      const withSql = { command: 'restore', way: 'rows', to: 'x', where: "pg_read_file('/etc/passwd') <> ''" }
      const answer = await person.ask('POST', '/api/runs', withSql)
      assert.equal(answer.status === 403, role !== 'admin', `${role}: ${answer.text}`)
    }
  })

  it('lets nobody in who is not signed in, and a token do what it is for', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    for (const scope of [undefined, ...scopes]) {
      const issued = scope && (await admin.ask('POST', '/api/tokens', { name: scope, scopes: [scope] }))
      const secret = issued && issuedToken.parse(issued.body).secret
      const headers = { origin: undefined, ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }) }
      for (const { method, path, access, act, isForTokens } of routesOf(api)) {
        if (apart.includes(act)) continue
        const answer = await api
          .client()
          .ask(method, path, method === 'GET' || method === 'DELETE' ? undefined : {}, headers)
        const mayToken = isForTokens && (access === scope || access === 'signed-in')
        const isIn = access === 'anyone' || (scope !== undefined && mayToken)
        const expected = isIn ? 'in' : scope === undefined ? 'sign-in-needed' : 'access-denied'
        const isOut = answer.status === 401 || (answer.status === 403 && codeOf(answer) === 'access-denied')
        assert.equal(isOut && access !== 'anyone' ? codeOf(answer) : 'in', expected, `${scope} ${act}: ${answer.text}`)
      }
    }
  })

  it('that gives somebody access, or is about a session, is for people and no token', async () => {
    await using api = await TestApi.open()
    const inPerson = routesOf(api).filter(({ isForTokens }) => !isForTokens)
    assert.deepEqual(inPerson.map(({ act }) => act).toSorted(), [
      'beginSecondFactor',
      'changePassword',
      'changeUser',
      'endSecondFactor',
      'inviteUser',
      'issueToken',
      'makeRecoveryCodes',
      'removeUser',
      'resetPassword',
      'signOut',
    ])
  })

  it('begins a run for a token that has nothing but the scope of its command', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    for (const [scope, expected] of [
      ['operate', 'not-found'],
      ['read', 'access-denied'],
      ['metrics', 'access-denied'],
    ]) {
      const issued = await admin.ask('POST', '/api/tokens', { name: scope, scopes: [scope] })
      const authorization = `Bearer ${issuedToken.parse(issued.body).secret}`
      const wish = { command: 'backup', databases: ['none'] }
      assert.equal(codeOf(await api.client().ask('POST', '/api/runs', wish, { authorization })), expected, scope)
    }
  })

  it('takes no token that was revoked, has expired, or whose owner may no longer', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    const { users } = api.server.room
    const owner = await api.person('admin', 'owner@example.com')
    const { token, secret } = issuedToken.parse(
      (await owner.ask('POST', '/api/tokens', { name: 'ci', scopes: ['read', 'administer'], expiresInDays: 1 })).body,
    )
    const ask = (path: string, given = secret) =>
      api.client().ask('GET', path, undefined, { authorization: `Bearer ${given}` })
    assert.equal((await ask('/api/users')).status, 200)
    const { user } = await owner.whoAmI()
    users.change(user?.id ?? '', { role: 'viewer' })
    assert.deepEqual([(await ask('/api/users')).status, (await ask('/api/runs')).status], [403, 200])
    assert.equal((await ask('/api/runs', `${secret.slice(0, -1)}_`)).status, 401)
    assert.equal((await admin.ask('DELETE', `/api/tokens/${token.id}`)).status, 200)
    assert.equal((await ask('/api/runs')).status, 401)
    assert.ok(!(await admin.ask('GET', '/api/audit')).text.includes(secret))
  })
})

describe('requests that are none', () => {
  it('are told so', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    assert.equal(codeOf(await admin.ask('POST', '/api/users', '{"name": ')), 'usage-invalid')
    assert.equal(codeOf(await admin.ask('POST', '/api/users', { name: 'x'.repeat(101) })), 'usage-invalid')
    assert.equal(codeOf(await admin.ask('POST', '/api/users', { name: 'x'.repeat(100_000) })), 'request-too-large')
    assert.equal(codeOf(await admin.ask('GET', '/api/nothing')), 'not-found')
    assert.equal(codeOf(await admin.ask('POST', '/api/auth/sign-up/email', { email: 'a@b.c' })), 'not-found')
    assert.equal(codeOf(await admin.ask('POST', '/api/auth/update-user', { role: 'admin' })), 'not-found')
  })
})

describe('the pages', () => {
  it('are the files of the dashboard and nothing else, under a strict policy', async () => {
    await using directory = await createTemporaryDirectory('api')
    const pages = join(directory.path, 'pages')
    await mkdir(join(pages, 'assets'), { recursive: true })
    await writeFile(join(directory.path, 'pgrevive.yaml'), '')
    await writeFile(join(pages, 'index.html'), '<!doctype html><title>pgrevive</title>')
    await writeFile(join(pages, 'assets', 'app-1a2b.js'), 'export {}')
    await using api = await TestApi.open({ directory: directory.path })
    const visitor = api.client()
    for (const path of ['/', '/databases/main%2Fshop', '/setup', '/assets']) {
      const answer = await visitor.ask('GET', path)
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/html; charset=utf-8'], path)
      const policy = String(answer.headers['content-security-policy'])
      assert.match(policy, /default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/)
      assert.doesNotMatch(policy, /script-src[^;]*unsafe/)
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    }
    const asset = await visitor.ask('GET', '/assets/app-1a2b.js')
    assert.match(String(asset.headers['cache-control']), /immutable/)
    assert.match(String(asset.headers['content-type']), /^text\/javascript/)
    const ways = ['../', '..%2f', '%2e%2e/', '..%5c', '....//', '/', '%00', 'assets/../../']
    for (const path of ways.flatMap((way) => [`/${way}pgrevive.yaml`, `/assets/${way}${way}pgrevive.yaml`])) {
      const answer = await visitor.ask('GET', path)
      const isPage = answer.status === 200 && answer.text.startsWith('<!doctype html>')
      assert.ok(isPage || answer.status === 404, `${path}: ${answer.status} ${answer.text}`)
    }
    assert.equal((await visitor.ask('GET', '/assets/nothing.js')).status, 404)
  })
})
