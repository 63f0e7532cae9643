import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TestApi, codeOf, goodPassword } from '../test-api.ts'

const first = { name: 'Ann', email: 'Ann@example.com', password: goodPassword }

describe('the first account', () => {
  it('is made by the link that is printed, once, and then there is no link', async () => {
    await using api = await TestApi.open()
    const client = api.client()
    assert.equal((await client.whoAmI()).setup, true)
    const [, token = ''] = api.server.setupLink()?.split('#') ?? []
    const made = await client.ask('POST', '/api/setup', { token, ...first })
    assert.equal(made.status, 200, made.text)
    assert.equal(codeOf(await client.ask('POST', '/api/setup', { token, ...first })), 'sign-in-failed')
    assert.equal(api.server.setupLink(), undefined)
    const signedIn = await client.signIn('ann@EXAMPLE.com', goodPassword)
    assert.equal(signedIn.status, 200, signedIn.text)
    const { setup, user, scopes } = await client.whoAmI()
    assert.deepEqual(
      { setup, role: user?.role, administers: scopes.includes('administer') },
      {
        setup: false,
        role: 'admin',
        administers: true,
      },
    )
  })

  it('goes to one of those who come with the link at the same time', async () => {
    await using api = await TestApi.open()
    const [, token = ''] = api.server.setupLink()?.split('#') ?? []
    const tries = await Promise.all(
      [1, 2, 3].map((n) => api.client().ask('POST', '/api/setup', { token, ...first, email: `n${n}@example.com` })),
    )
    assert.deepEqual(tries.map(({ status }) => String(status)).toSorted(), ['200', '401', '401'])
    assert.equal(api.server.room.users.list().length, 1)
  })

  it('is not made by the link of a start before', async () => {
    await using api = await TestApi.open()
    const [, old = ''] = api.server.setupLink()?.split('#') ?? []
    api.server.setupLink()
    assert.equal(codeOf(await api.client().ask('POST', '/api/setup', { token: old, ...first })), 'sign-in-failed')
  })
})
