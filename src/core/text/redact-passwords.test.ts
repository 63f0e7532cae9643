import assert from 'node:assert/strict'
import { it } from 'node:test'
import { redactPasswords } from './redact-passwords.ts'

it('hides passwords in URLs and connection strings and keeps the rest', () => {
  assert.equal(redactPasswords('no "postgress://ann:s3:c/ret@h:5432/x" here'), 'no "postgress://ann:…@h:5432/x" here')
  assert.equal(redactPasswords("host=h password='a b' user=u"), 'host=h password=… user=u')
  assert.equal(redactPasswords("CONNECTION 'password=''a \\'' b'' user=u'"), "CONNECTION 'password=… user=u'")
  assert.equal(redactPasswords("OPTIONS (password 'it''s', user 'u')"), "OPTIONS (password …, user 'u')")
  assert.equal(redactPasswords('postgres://h:5432/x?user=a'), 'postgres://h:5432/x?user=a')
})
