import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nameFromPath, originalTime } from './original-time.ts'

const modifiedAt = new Date('2026-06-01T12:00:00Z')
const now = new Date('2026-11-01T00:00:00Z')
const local = (...parts: [number, number, number, number, number, number]) => new Date(...parts)
const timeOf = (name: string, createdAt?: Date) =>
  originalTime(`/some/2020-01-01/${name}`, { createdAt, modifiedAt, now })

describe('the time of a dump', () => {
  for (const [name, at] of [
    ['travelscout_backup_20260105_023000.dump.gz', local(2026, 0, 5, 2, 30, 0)],
    ['shop-2026-01-05-02-30-15.sql', local(2026, 0, 5, 2, 30, 15)],
    ['shop_2026-01-05T02:30:15.sql.gz.enc', local(2026, 0, 5, 2, 30, 15)],
    ['shop_20260105T023015Z.dump', new Date('2026-01-05T02:30:15Z')],
    ['shop_20260105_0230.dump', local(2026, 0, 5, 2, 30, 0)],
    ['20250101_000000_of_20260105_023000.dump', local(2026, 0, 5, 2, 30, 0)],
  ] as const) {
    it(`is the stamp in ${name}`, () => {
      assert.deepEqual(timeOf(name, new Date('2026-03-03T03:03:03Z')), { at, from: 'name' })
    })
  }

  it('is that in the archive, else that of the file, where the name has none', () => {
    const createdAt = new Date('2026-03-03T03:03:03Z')
    assert.deepEqual(timeOf('backup.dump', createdAt), { at: createdAt, from: 'archive' })
    assert.deepEqual(timeOf('backup.sql'), { at: modifiedAt, from: 'file' })
    assert.deepEqual(timeOf('backup_20261341_000000.sql'), { at: modifiedAt, from: 'file' })
    assert.deepEqual(timeOf('backup_120260105_0230001.sql'), { at: modifiedAt, from: 'file' })
  })

  it('is the day in the name, unless something else knows the hour of that day', () => {
    const createdAt = local(2026, 0, 5, 7, 8, 9)
    assert.deepEqual(timeOf('shop_2026-01-05.dump', createdAt), { at: createdAt, from: 'archive' })
    assert.deepEqual(timeOf('shop_2026-01-05.sql'), { at: local(2026, 0, 5, 0, 0, 0), from: 'name' })
  })

  it('is never in the future', () => {
    assert.deepEqual(timeOf('shop_20990105_023000.dump', local(2099, 0, 1, 0, 0, 0)), { at: modifiedAt, from: 'file' })
  })
})

describe('the name of a dump that names no database', () => {
  for (const [path, name] of [
    ['/backups/backup.sql', 'backup'],
    ['travelscout_backup_20260105_023000.sql.gz', 'travelscout_backup'],
    ['2026-01-05_shop.sql.zst.enc', 'shop'],
    ['20260105.sql', '20260105'],
  ] as const) {
    it(`of ${path} is ${name}`, () => assert.equal(nameFromPath(path), name))
  }
})
