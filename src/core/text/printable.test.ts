import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { printable, printableLines } from './printable.ts'

describe('printable', () => {
  it('leaves names in any language alone', () => {
    assert.equal(printable('naïve "Größe" 表 🐘'), 'naïve "Größe" 表 🐘')
  })

  it('escapes what could control a terminal', () => {
    assert.equal(printable('a\u001b[2Jb\r\nc\u0007\u009b'), 'a\\x1b[2Jb\\x0d\\x0ac\\x07\\x9b')
  })

  it('escapes what could reorder or break a line, and halves of characters', () => {
    assert.equal(printable('a\u202eb\u2028c\ud800'), 'a\\u{202e}b\\u{2028}c\\u{d800}')
  })

  it('keeps the lines and tabs of a text that has several', () => {
    assert.equal(printableLines('a\tb\r\nc\u001bd\n', 2), 'a\tb\n  c\\x1bd\n  ')
  })
})
