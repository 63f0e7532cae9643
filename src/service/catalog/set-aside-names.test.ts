import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KnownDatabase } from './catalog.ts'
import { setAsideOf } from './set-aside-names.ts'

const usual: KnownDatabase = { name: 'shop', source: 'backup@db:5432/shop', server: null, gone: false }

/** Name, the databases that are known beside `shop`, and whose it is. */
const cases: [name: string, others: Partial<KnownDatabase>[], of: string | undefined][] = [
  ['shop_before_20261122_210405', [], 'shop'],
  ['shop_undone_20261122_210405', [], 'shop'],
  ['shop_before_replace', [], 'shop'],
  ['shop', [], undefined],
  ['shop_before_20261122', [], undefined],
  ['shop_before_christmas', [], undefined],
  ['blog_before_20261122_210405', [], undefined],
  ['prod_before_20261122_210405', [{ name: 'blog', source: 'backup@db/prod' }], 'blog'],
  ['app_before_20261122_210405', [{ name: 'main/app', source: null, server: 'main' }], 'main/app'],
  ['old_before_20261122_210405', [{ name: 'old', source: null, gone: true }], 'old'],
  ['shop_before_20261122_210405', [{ name: 'other/shop', source: null, server: 'other' }], undefined],
]

describe('what restores have saved of a database', () => {
  for (const [name, others, of] of cases) {
    const beside = others.map((one) => one.name).join(', ')
    it(`${name} is of ${of ?? 'none'}${beside === '' ? '' : ` beside ${beside}`}`, () => {
      assert.equal(setAsideOf(name, [usual, ...others.map((other) => ({ ...usual, ...other }))]), of)
    })
  }
})
