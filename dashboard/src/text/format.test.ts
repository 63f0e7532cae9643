import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ago, change, count, duration, factor, plural, roughly, sentence, size } from './format.ts'

it('tells sizes in decimal units, with three digits at most', () => {
  const sizes = [0, 1, 999, 1000, 1234, 12_345, 999_499, 999_500, 165_000_000, 4.2e10, 8.3e12, -189_000]
  assert.deepEqual(sizes.map(size), [
    '0 B',
    '1 B',
    '999 B',
    '1 kB',
    '1.23 kB',
    '12.3 kB',
    '999 kB',
    '1 MB',
    '165 MB',
    '42 GB',
    '8.3 TB',
    '−189 kB',
  ])
})

it('tells durations with one unit, or two where the second one matters', () => {
  const second = 1000
  assert.deepEqual(
    [
      0,
      340,
      1200,
      10 * second,
      59.4 * second,
      60 * second,
      125 * second,
      1800 * second,
      12_000 * second,
      90_000 * second,
    ].map(duration),
    ['1 ms', '340 ms', '1.2 s', '10 s', '59 s', '1 min', '2 min 5 s', '30 min', '3 h 20 min', '1 d 1 h'],
  )
})

it('never tells a second unit that is a whole first one', () => {
  assert.deepEqual([119_700, 7_199_000, 2 * 86_400_000 - 1].map(duration), ['2 min', '2 h', '2 d'])
})

it('tells ages, and times to come, as people say them', () => {
  const now = Date.parse('2026-11-23T12:00:00Z')
  const told = (time: string) => ago(time, now)
  assert.deepEqual(
    [
      '2026-11-23T11:59:55Z',
      '2026-11-23T11:58:00Z',
      '2026-11-23T10:00:00Z',
      '2026-11-20T12:00:00Z',
      '2026-11-23T12:05:00Z',
    ].map(told),
    ['just now', '2 min ago', '2 h ago', '3 days ago', 'in 5 min'],
  )
  assert.deepEqual([5_000, 3_600_000, 86_400_000, 7 * 86_400_000, 100 * 86_400_000].map(roughly), [
    '5 s',
    '60 min',
    '24 h',
    '7 days',
    '3 months',
  ])
})

it('tells numbers, changes and factors', () => {
  assert.deepEqual(
    [count(1_338_025), plural(1, 'backup'), plural(2, 'backup'), plural(0, 'entry', 'entries')],
    ['1,338,025', '1 backup', '2 backups', '0 entries'],
  )
  assert.deepEqual([3015, -3, 0].map(change), ['+3,015', '−3', '±0'])
  assert.deepEqual([1, 21.44, 120.4].map(factor), ['1.0×', '21.4×', '120×'])
})

it('makes a sentence of what a message says', () => {
  assert.deepEqual(['the server is gone', 'is it up?', ''].map(sentence), ['The server is gone.', 'Is it up?', '.'])
  assert.deepEqual(['docs/reference.md says', 'pgrevive.yaml: no', 'database: full'].map(sentence), [
    'docs/reference.md says.',
    'pgrevive.yaml: no.',
    'Database: full.',
  ])
})
