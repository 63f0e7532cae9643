import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchesGlob } from './glob.ts'

describe('a pattern of names', () => {
  it('matches the whole name, and takes everything but * and ? as it is', () => {
    const matches: [name: string, pattern: string][] = [
      ['app_1', 'app_*'],
      ['', '*'],
      ['a.b-c/d\n', 'a.b-c/?*'],
      ['😀', '?'],
      ['a[b]{c}(d)^$|+\\', 'a[b]{c}(d)^$|+\\'],
    ]
    for (const [name, pattern] of matches) assert.ok(matchesGlob(name, pattern), pattern)
    for (const [name, pattern] of [
      ['axb', 'a.b'],
      ['my_app_1', 'app_*'],
      ['App', 'app'],
      ['', '?'],
    ] as const) {
      assert.ok(!matchesGlob(name, pattern), pattern)
    }
  })
})
