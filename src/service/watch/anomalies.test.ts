import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backup } from '../../shapes/database.ts'
import { anomaliesOf } from './anomalies.ts'

const limits = { sizePercent: 50, rowsPercent: 50, durationFactor: 3 }

function backup(changes: Partial<Backup> & { tookMs?: number } = {}): Backup {
  const { tookMs = 60_000, ...facts } = changes
  const startedAt = '2026-11-23T02:00:00.000Z'
  return {
    id: '01M8QF0000000000000000NOTE',
    database: 'shop',
    startedAt,
    finishedAt: new Date(Date.parse(startedAt) + tookMs).toISOString(),
    snapshotAt: startedAt,
    serverVersion: '18.1',
    comment: null,
    leftOut: null,
    imported: false,
    tables: 10,
    rows: 100_000,
    bytes: 100_000_000,
    stored: 1000,
    places: [],
    proof: null,
    pin: null,
    ...facts,
  }
}

const usual = Array.from({ length: 5 }, () => backup())
const found = (newest: Parameters<typeof backup>[0], before = usual) => anomaliesOf([backup(newest), ...before], limits)

describe('a backup is unusual', () => {
  for (const [what, newest, expected] of [
    ['not when it is as those before', {}, []],
    ['when it is less than half', { bytes: 49_000_000 }, ['it holds 49.0 MB, and usually 100 MB']],
    ['not when it is half', { bytes: 50_000_000, rows: 150_000 }, []],
    ['when it has many more rows', { rows: 150_001 }, ['it has 150,001 rows, and usually 100,000']],
    ['when a table is gone', { tables: 9 }, ['it has 9 tables, and had 10 before']],
    ['not when there is one more', { tables: 11 }, []],
    ['when it takes more than three times as long', { tookMs: 180_001 }, ['it took 3 min, and usually 1 min']],
    ['not when it takes three times as long', { tookMs: 180_000 }, []],
    [
      'in all of it, when all is gone',
      { tables: 0, rows: 0, bytes: 0 },
      ['it has 0 tables, and had 10 before', 'it has 0 rows, and usually 100,000', 'it holds 0 B, and usually 100 MB'],
    ],
  ] as const) {
    it(what, () => assert.deepEqual(found(newest), expected))
  }

  it('only compared with others of its kind, of which there must be some', () => {
    assert.deepEqual(found({ bytes: 0 }, [backup(), backup()]), [])
    const partial = Array.from({ length: 5 }, () => backup({ leftOut: 'rows of audit.*', bytes: 1 }))
    assert.deepEqual(found({}, [...partial, backup(), backup(), backup()]), [])
    assert.deepEqual(found({ imported: true, bytes: 0 }), [])
  })

  it('not when it is small, and grows', () => {
    const small = Array.from({ length: 5 }, () => backup({ rows: 3, bytes: 500, tookMs: 1000 }))
    assert.deepEqual(found({ rows: 900, bytes: 90_000, tookMs: 60_000 }, small), [])
  })

  it('until most of those before are like it', () => {
    const fewer = (count: number) => [...Array.from({ length: count }, () => backup({ rows: 10 })), ...usual]
    assert.equal(found({ rows: 10 }, fewer(3)).length, 1)
    assert.deepEqual(found({ rows: 10 }, fewer(6)), [])
  })
})
