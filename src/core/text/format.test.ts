import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAge, formatBytes, formatCount, formatDuration, formatRate, formatTable } from './format.ts'

describe('formats', () => {
  it('writes bytes in decimal units with three digits', () => {
    const cases = [0, 999, 999.6, 1234, 84_300_000, 99_960_000, 999_499_000, 999_500_000, 2_910_000_000n]
    const expected = ['0 B', '999 B', '1.0 kB', '1.2 kB', '84.3 MB', '100 MB', '999 MB', '1.0 GB', '2.9 GB']
    assert.deepEqual(cases.map(formatBytes), expected)
  })

  it('writes counts with commas', () => {
    const counts = [0, 999, 1000, 123_456, -1_234_567, 1234.5, 12_345_678_901_234_567_890n]
    assert.deepEqual(counts.map(formatCount), [
      '0',
      '999',
      '1,000',
      '123,456',
      '-1,234,567',
      '1,234.5',
      '12,345,678,901,234,567,890',
    ])
  })

  it('writes durations in the unit that fits, and never 60 of one', () => {
    const cases = [4, 99.6, 3240, 9951, 59_499, 59_600, 200_000, 3_599_600, 7_500_000, 86_399_000, 273_600_000]
    const expected = [
      '4 ms',
      '0.1 s',
      '3.2 s',
      '10 s',
      '59 s',
      '1 min',
      '3 min 20 s',
      '1 h',
      '2 h 5 min',
      '1 d',
      '3 d 4 h',
    ]
    assert.deepEqual(cases.map(formatDuration), expected)
  })

  it('writes rates and ages', () => {
    assert.equal(formatRate(84_120_000, 'bytes'), '84.1 MB/s')
    assert.equal(formatRate(12_000.4, 'rows'), '12,000 rows/s')
    const now = new Date('2026-11-22T12:00:00Z')
    const ages = ['2026-11-22T12:00:05Z', '2026-11-22T11:59:00Z', '2026-11-22T09:59:00Z', '2026-11-10T12:00:00Z']
    assert.deepEqual(
      ages.map((then) => formatAge(new Date(then), now)),
      ['just now', '1 minute ago', '2 hours ago', '12 days ago'],
    )
  })

  it('aligns columns by the width on screen and escapes the cells', () => {
    const columns = [{ title: 'table' }, { title: 'rows', align: 'right' }, { title: 'note' }] as const
    const rows = [
      ['表', '5', ''],
      ['a\u001b[31m', '1,200', 'left out'],
    ]
    assert.equal(formatTable(columns, rows), 'table       rows  note\n表             5\na\\x1b[31m  1,200  left out\n')
  })

  it('puts the columns that do not fit below the others, and cuts nothing off', () => {
    const columns = [
      { title: 'backup' },
      { title: 'rows', align: 'right' },
      { title: 'proof' },
      { title: 'left out' },
    ] as const
    const rows = [
      ['01M816ZDZZ', '1,338,025', 'proven', ''],
      ['01M7YJ4Q0X', '5', 'unproven', 'rows of public.sessions'],
    ]
    const style = { heading: (text: string) => `<${text}>` }
    const table = (width: number) => formatTable(columns, rows, { width, ...style })
    assert.equal(table(60), table(Infinity))
    assert.equal(
      table(40),
      '<backup    >  <     rows>  <proof>\n' +
        '  <left out>\n' +
        '01M816ZDZZ  1,338,025  proven\n' +
        '01M7YJ4Q0X          5  unproven\n' +
        '  rows of public.sessions\n',
    )
    assert.equal(
      table(1),
      '<backup>\n  <     rows>\n  <proof>\n  <left out>\n' +
        '01M816ZDZZ\n  1,338,025\n  proven\n' +
        '01M7YJ4Q0X\n          5\n  unproven\n  rows of public.sessions\n',
    )
  })
})
