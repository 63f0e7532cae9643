import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseNames } from './names.ts'

describe('names as a person writes them', () => {
  it('are in lower case unless quoted, and parted outside quotes only', () => {
    assert.deepEqual(parseNames('Public.Orders', '.'), ['public', 'orders'])
    assert.deepEqual(parseNames('"A.b"."we""ird \'; DROP"', '.'), ['A.b', `we"ird '; DROP`])
    assert.deepEqual(parseNames(' a , "B,c",gr\u00f6\u00dfe', ','), ['a', 'B,c', 'gr\u00f6\u00dfe'])
  })

  it('are nothing else: no patterns, expressions or unfinished quotes', () => {
    for (const text of ['', 'a b', 'a*', 'f(x)', '"a', 'a"b"', "'a'", 'a;', '-a', 'a,', '""']) {
      assert.equal(parseNames(text, ','), undefined, text)
    }
    assert.equal(parseNames('a.b', ','), undefined)
  })
})
