import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { invitedUser } from '../../shapes/access.ts'
import { TestApi, codeOf, goodPassword } from '../test-api.ts'
import { beginSecondFactor, shownCode } from './test-second-factor.ts'

describe('a second factor', () => {
  it('is asked for after the password, and a recovery code stands in for it once', async () => {
    await using api = await TestApi.open()
    const person = await api.person('operator')
    const other = api.client()
    await other.signIn('operator@example.com', goodPassword)
    const { totpURI, backupCodes } = await beginSecondFactor(person)
    assert.equal((await person.whoAmI()).user?.totp, false)
    const turnedOn = await person.ask('POST', '/api/auth/two-factor/verify-totp', { code: shownCode(totpURI) })
    assert.equal(turnedOn.status, 200, turnedOn.text)
    assert.equal((await person.whoAmI()).user?.totp, true)
    assert.equal((await other.whoAmI()).user, null, 'who signed in without it does so again')

    const browser = api.client()
    const half = await browser.signIn('operator@example.com', goodPassword)
    assert.deepEqual(half.body, { twoFactorRedirect: true })
    assert.equal((await browser.whoAmI()).user, null)
    assert.equal(
      codeOf(await browser.ask('POST', '/api/auth/two-factor/verify-totp', { code: '000000' })),
      'sign-in-failed',
    )
    const right = await browser.ask('POST', '/api/auth/two-factor/verify-totp', { code: shownCode(totpURI, 1) })
    assert.equal(right.status, 200, right.text)
    assert.equal((await browser.whoAmI()).user?.totp, true)
    const { items } = api.server.room.audit.list({ before: undefined, limit: 4 })
    assert.deepEqual(
      items.map(({ act, by, subject, outcome }) => [act, by, subject, outcome]),
      [
        ['verifyCode', 'operator@example.com', null, 'done'],
        ['verifyCode', 'operator@example.com', null, 'refused'],
        ['signIn', 'operator@example.com', 'by the password alone: a code is asked for next', 'done'],
        ['verifyCode', 'operator@example.com', null, 'done'],
      ],
    )

    const [code = ''] = backupCodes
    for (const expected of [200, 401]) {
      const lost = api.client()
      await lost.signIn('operator@example.com', goodPassword)
      assert.equal((await lost.ask('POST', '/api/auth/two-factor/verify-backup-code', { code })).status, expected)
    }
  })

  it('takes each code once', async () => {
    await using api = await TestApi.open()
    const person = await api.person('operator')
    const { totpURI } = await beginSecondFactor(person)
    const codes = [shownCode(totpURI), shownCode(totpURI, 1)]
    assert.equal((await person.ask('POST', '/api/auth/two-factor/verify-totp', { code: codes[0] })).status, 200)
    const signIn = async (code: string | undefined) => {
      const browser = api.client()
      await browser.signIn('operator@example.com', goodPassword)
      const answer = await browser.ask('POST', '/api/auth/two-factor/verify-totp', { code })
      return [answer.status, (await browser.whoAmI()).user?.email]
    }
    assert.deepEqual(await signIn(codes[0]), [401, undefined])
    assert.deepEqual(await signIn(codes[1]), [200, 'operator@example.com'])
    assert.deepEqual(await signIn(codes[1]), [401, undefined])
  })

  it('stays until the link that replaces it, and the password, is used', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    const person = await api.person('operator')
    const { totpURI } = await beginSecondFactor(person)
    await person.ask('POST', '/api/auth/two-factor/verify-totp', { code: shownCode(totpURI) })
    const id = (await person.whoAmI()).user?.id ?? ''
    const { link } = invitedUser.parse((await admin.ask('POST', `/api/users/${id}/link`)).body)
    assert.deepEqual((await api.client().signIn('operator@example.com', goodPassword)).body, {
      twoFactorRedirect: true,
    })
    const [, token = ''] = link.split('#')
    const accept = { token, password: 'quite another password' }
    assert.equal((await api.client().ask('POST', '/api/invitation', accept)).status, 200)
    assert.equal((await person.whoAmI()).user, null)
    const anew = api.client()
    await anew.signIn('operator@example.com', accept.password)
    assert.equal((await anew.whoAmI()).user?.totp, false)
  })
})
