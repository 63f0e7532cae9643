import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Day } from '../../../src/shapes/database.ts'
import { dayText, kindOf } from './day-kind.ts'

const nothing: Day = {
  date: '2026-11-23',
  backups: 0,
  proven: 0,
  failed: 0,
  refuted: 0,
  missed: 0,
  bytes: null,
  stored: null,
}

it('shows of a day the worst that is true of it, but for what a later try has mended', () => {
  const kind = (part: Partial<Day>) => kindOf({ ...nothing, ...part })
  assert.equal(kind({}), 'none')
  assert.equal(kind({ missed: 1 }), 'missed')
  assert.equal(kind({ failed: 1, missed: 1 }), 'failed')
  assert.equal(kind({ failed: 1, backups: 1 }), 'backed-up')
  assert.equal(kind({ failed: 1, backups: 1, proven: 1 }), 'proven')
  assert.equal(kind({ backups: 2, proven: 1, refuted: 1 }), 'refuted')
})

it('tells all of a day in words', () => {
  assert.equal(dayText({ ...nothing, backups: 2, proven: 1, failed: 1 }), '2026-11-23: 2 backups, 1 proven, 1 failed')
  assert.equal(dayText(nothing), '2026-11-23: nothing')
})
