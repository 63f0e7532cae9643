import assert from 'node:assert/strict'
import { it } from 'node:test'
import { at, withQuery } from './client.ts'

it('encodes whatever a database or a table may be called', () => {
  assert.equal(at`databases/${'../users'}/backups`, '/api/databases/..%2Fusers/backups')
  assert.equal(at`databases/${'a b?c#d'}`, '/api/databases/a%20b%3Fc%23d')
  assert.equal(at`me`, '/api/me')
  assert.equal(
    withQuery(at`backups/${'01X'}/rows`, { table: 'x&y=1', search: '', limit: 10 }),
    '/api/backups/01X/rows?table=x%26y%3D1&limit=10',
  )
})
