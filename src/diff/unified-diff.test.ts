import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { unifiedDiff } from './unified-diff.ts'

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`)

describe('the unified diff of two texts', () => {
  it('shows what changed with three lines around it, and nothing for the same text', () => {
    const before = numbered(20)
    const after = before.with(4, 'other').toSpliced(15, 1)
    assert.deepEqual(unifiedDiff(before.join('\n'), before.join('\n')), [])
    assert.equal(
      unifiedDiff(before.join('\n'), after.join('\n')).join('|'),
      '@@ -2,7 +2,7 @@| line 1| line 2| line 3|-line 4|+other| line 5| line 6| line 7|' +
        '@@ -13,7 +13,6 @@| line 12| line 13| line 14|-line 15| line 16| line 17| line 18',
    )
    assert.deepEqual(unifiedDiff('', 'a\nb'), ['@@ -0,0 +1,2 @@', '+a', '+b'])
    assert.deepEqual(unifiedDiff('a', ''), ['@@ -1,1 +0,0 @@', '-a'])
  })

  it('is understood by patch, for short and for very long texts', (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'pgrevive-diff-'))
    try {
      execFileSync('patch', ['--version'])
    } catch {
      return context.skip('needs the program "patch"')
    } finally {
      context.after(() => rmSync(directory, { recursive: true }))
    }
    for (const count of [7, 40, 5000]) {
      const before = numbered(count)
      const after = before.flatMap((line, index) =>
        index % 7 === 3 ? [] : index % 5 === 1 ? [line, 'new', line] : line,
      )
      const file = join(directory, 'text')
      writeFileSync(file, `${before.join('\n')}\n`)
      const lines = unifiedDiff(before.join('\n'), after.join('\n'))
      const input = ['--- text', '+++ text', ...lines, ''].join('\n')
      assert.equal(
        execFileSync('patch', ['--quiet', '--output=-', file], { input, encoding: 'utf8' }),
        `${after.join('\n')}\n`,
      )
    }
  })
})
