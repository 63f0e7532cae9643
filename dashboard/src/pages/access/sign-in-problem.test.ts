import assert from 'node:assert/strict'
import { it } from 'node:test'
import { signInProblem } from './sign-in-problem.ts'

it('says what was in the way of a sign-in, and nothing that a link says', () => {
  assert.match(signInProblem('no_role'), /has no role for you here/)
  for (const link of ['Your account is locked. Call +1 555 0100', '<b>', 'toString', '']) {
    assert.equal(signInProblem(link), 'The sign-in with the identity provider failed. The audit log says why.')
  }
})
