import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything } from '../backups/manifest.ts'
import { type Acknowledgement, type BackupSize, findShrinkage } from './shrinkage.ts'

function size(id: string, rows: number, more: Partial<BackupSize> = {}): BackupSize {
  return { id, database: 'shop', selection: everything, rows, bytes: rows * 10, tables: ['public.orders'], ...more }
}

function found(sizes: readonly BackupSize[], acknowledged: readonly Acknowledgement[] = []) {
  return findShrinkage(sizes, { acknowledged, shrinkPercent: 50 }).map(({ backup, losses }) => [backup, ...losses])
}

const acknowledge = (backup: string, more: Partial<Acknowledgement> = {}): Acknowledgement => ({
  backup,
  database: 'shop',
  selection: everything,
  ...more,
})

describe('a backup has shrunk', () => {
  it('when more than half of the rows or bytes of the one before are gone', () => {
    assert.deepEqual(found([size('1', 100), size('2', 50), size('3', 51)]), [])
    assert.deepEqual(found([size('1', 100), size('2', 49)]), [['2', 'rows: 100 became 49', 'bytes: 1000 became 490']])
    assert.deepEqual(found([size('1', 100), size('2', 100, { bytes: 20 })]), [['2', 'bytes: 1000 became 20']])
    assert.deepEqual(found([size('1', 100), size('2', 0)]).length, 1)
    assert.deepEqual(found([size('1', 0), size('2', 0)]), [])
  })

  it('when a table is gone', () => {
    const tables = ['public.orders', 'public.customers']
    assert.deepEqual(found([size('1', 10, { tables }), size('2', 10)]), [['2', 'table public.customers']])
    assert.deepEqual(found([size('1', 10), size('2', 10, { tables })]), [])
  })

  it('but not when partitions come and go, as long as some are left', () => {
    const days = (...names: string[]) => ({ tables: names.map((day) => `public.events_2026_${day}`) })
    assert.deepEqual(found([size('1', 10, days('01', '02')), size('2', 10, days('02', '03'))]), [])
    assert.deepEqual(found([size('1', 10, days('01')), size('2', 10, days())]), [['2', 'table public.events_2026_01']])
  })

  it('still when later ones are as small as it is', () => {
    assert.deepEqual(
      found([size('1', 100), size('2', 3), size('3', 3), size('4', 4)]).map(([id]) => id),
      ['2'],
    )
  })

  it('only compared with those of its own database that leave out the same', () => {
    const part = { selection: { ...everything, tables: ['orders'] } }
    assert.deepEqual(found([size('1', 100), size('2', 3, part), size('3', 100)]), [])
    assert.deepEqual(found([size('1', 100), size('2', 3, { database: 'shop2' }), size('3', 100)]), [])
    assert.deepEqual(
      found([size('1', 100, part), size('2', 100), size('3', 3, part)]).map(([id]) => id),
      ['3'],
    )
  })

  it('until somebody acknowledges that, for all that came before and after, forgotten or not', () => {
    const sizes = [size('1', 100), size('2', 100), size('3', 3), size('4', 3)]
    assert.deepEqual(found(sizes, [acknowledge('3')]), [])
    assert.deepEqual(found([size('1', 100), size('4', 3)], [acknowledge('3')]), [])
    assert.equal(found(sizes, [acknowledge('2')]).length, 1)
    assert.equal(found(sizes, [acknowledge('4')]).length, 1)
    assert.equal(found(sizes, [acknowledge('3', { database: 'other' })]).length, 1)
    assert.equal(found(sizes, [acknowledge('3', { selection: { ...everything, content: 'data-only' } })]).length, 1)
    assert.deepEqual(
      found([...sizes, size('5', 1)], [acknowledge('3')]).map(([id]) => id),
      ['5'],
    )
  })
})
