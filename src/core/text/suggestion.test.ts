import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nearestWord } from './suggestion.ts'

describe('nearestWord', () => {
  it('finds what was mistyped, swapped or written in another case', () => {
    const keys = ['repository', 'key_file', 'pg_dump', 'jobs']
    assert.equal(nearestWord('repositroy', keys), 'repository')
    assert.equal(nearestWord('keyFile', keys), 'key_file')
    assert.equal(nearestWord('pgdump', keys), 'pg_dump')
    assert.equal(nearestWord('job', keys), 'jobs')
  })

  it('suggests nothing for a word that is not near', () => {
    assert.equal(nearestWord('schedule', ['repository', 'jobs']), undefined)
    assert.equal(nearestWord('x', []), undefined)
  })
})
