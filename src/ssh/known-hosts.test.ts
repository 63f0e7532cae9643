import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findKnownKeys } from './known-hosts.ts'

/** Which of the lines apply to a host; each key says its line. */
function linesFor(lines: readonly string[], host: string, port = 22) {
  const text = lines
    .map((line, index) => `${line} ssh-ed25519 ${Buffer.from(`${index}`).toString('base64')}`)
    .join('\r\n')
  const { trusted, revoked } = findKnownKeys(text, { host, port })
  return { trusted: trusted.map(Number), revoked: revoked.map(Number) }
}

describe('known hosts', () => {
  it('are told by name, by patterns, and by what is excluded', () => {
    const lines = [
      'a.example',
      'b.example,a.example',
      '*.example,!a.example',
      'A.Example',
      '?.example',
      'aXexample',
      '!a.example',
    ]
    assert.deepEqual(linesFor(lines, 'a.example').trusted, [0, 1, 3, 4])
    assert.deepEqual(linesFor(lines, 'c.example').trusted, [2, 4])
    assert.deepEqual(linesFor(['# a', '', '   a', 'a\t'], 'a').trusted, [2, 3])
  })

  it('have their port in their name, unless it is the usual one', () => {
    const lines = ['a', '[a]:2222', '[a]:*', '::1', '[::1]:2222']
    assert.deepEqual(linesFor(lines, 'a').trusted, [0])
    assert.deepEqual(linesFor(lines, 'a', 2222).trusted, [1, 2])
    assert.deepEqual(linesFor(lines, '[::1]').trusted, [3])
    assert.deepEqual(linesFor(lines, '[::1]', 2222).trusted, [4])
  })

  it('may be revoked, or vouched for by an authority that is not asked', () => {
    assert.deepEqual(linesFor(['@revoked a', '@cert-authority a', 'a'], 'a'), { trusted: [2], revoked: [0] })
  })
})
