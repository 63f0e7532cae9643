import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import { TestApi, codeOf, goodPassword } from '../test-api.ts'

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

  it('do not count when they succeed: many people of one address get in', async () => {
    await using api = await TestApi.open()
    const { attempts } = api.server.room
    for (let n = 0; n < 70; n++) {
      attempts.begin('10.0.0.1', `n${n % 5}@example.com`)
      attempts.succeeded('10.0.0.1', `n${n % 5}@example.com`)
    }
    const guess = () => Array.from({ length: 30 }, (_, n) => attempts.begin('10.0.0.1', `guess${n}@example.com`))
    guess()
    assert.throws(guess, { code: 'tries-exhausted' })
  })

  it('of nobody known fill the audit log up to a hundred of an address, and what is no request not at all', async () => {
    await using api = await TestApi.open()
    const visitor = api.client()
    const kept = () => api.server.room.audit.list({ before: undefined, limit: 500 }).items
    for (let n = 0; n < 10; n++) await visitor.ask('POST', '/api/auth/sign-in/email', {})
    for (let n = 0; n < 10; n++) await visitor.ask('POST', '/api/auth/sign-in/social', { provider: 'none' })
    assert.deepEqual(kept(), [])
    for (let n = 0; n < 120; n++) await visitor.ask('GET', '/api/auth/callback/none')
    assert.equal(kept().length, 100)
    await api.client({ from: '127.0.0.9' }).ask('GET', '/api/auth/callback/none')
    assert.equal(kept()[0]?.from, '127.0.0.9')
    await api.person('viewer')
    assert.deepEqual([kept()[0]?.act, kept()[0]?.outcome], ['signIn', 'done'])
  })
})
