import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { ProgressDisplay } from './progress.ts'
import { Terminal } from './terminal.ts'

function setUp(options: { isTTY?: boolean; columns?: number; json?: boolean; quiet?: boolean } = {}) {
  const stderr = Object.assign(new PassThrough({ encoding: 'utf8' }), {
    isTTY: options.isTTY ?? false,
    columns: options.columns ?? 80,
  })
  const terminal = new Terminal(
    { stdin: new PassThrough(), stdout: new PassThrough(), stderr },
    { json: options.json ?? false, quiet: options.quiet ?? false, colorRefused: true, environment: {} },
  )
  const clock = { ms: 0 }
  const progress = new ProgressDisplay(terminal, { now: () => clock.ms })
  return { terminal, progress, clock, written: () => String(stderr.read() ?? '') }
}

describe('progress on a terminal', () => {
  it('redraws one line with share, amount, rate, remaining time and detail', () => {
    const { progress, clock, written } = setUp({ isTTY: true, columns: 120 })
    using _ = progress
    progress.report({ phase: 'data', done: 0, total: 2e9, unit: 'bytes', detail: 'public.orders' })
    clock.ms = 2000
    written()
    progress.report({ phase: 'data', done: 5e8, total: 2e9, unit: 'bytes', detail: 'public.\u001b[2Jorders' })
    assert.equal(
      written(),
      '\rdata         ━━━━━───────────────  25 %  500 MB of 2.0 GB  250 MB/s  6 s left  public.\\x1b[2Jorders\u001b[K',
    )
  })

  it('gives up the rate and the amount before the remaining time, and draws a bar where there is room', () => {
    const lines = [78, 70, 60, 50, 40].map((columns) => {
      const { progress, clock, written } = setUp({ isTTY: true, columns })
      using _ = progress
      progress.report({ phase: 'data', done: 0, total: 2e9, unit: 'bytes' })
      clock.ms = 2000
      written()
      progress.report({ phase: 'data', done: 5e8, total: 2e9, unit: 'bytes' })
      return written().slice(1, -'\u001b[K'.length)
    })
    assert.deepEqual(lines, [
      'data         ━━━━━───────────────  25 %  500 MB of 2.0 GB  250 MB/s  6 s left',
      'data         ━━━─────────  25 %  500 MB of 2.0 GB  250 MB/s  6 s left',
      'data          25 %  500 MB of 2.0 GB  250 MB/s  6 s left',
      'data          25 %  500 MB of 2.0 GB  6 s left',
      'data         ━━━───────  25 %  6 s left',
    ])
  })

  it('never fills the width, whatever the names are', () => {
    for (const columns of [20, 40, 59, 60, 80]) {
      const { progress, written } = setUp({ isTTY: true, columns })
      using _ = progress
      progress.report({ phase: 'data', done: 1, total: 2, unit: 'rows', detail: '表'.repeat(80) })
      const line = written().slice(1, -'\u001b[K'.length)
      const width = Array.from(line).reduce((sum, character) => sum + (character === '表' ? 2 : 1), 0)
      assert.ok(width < columns, `${width} of ${columns}: ${line}`)
    }
  })

  it('says that it waits when nothing moves', () => {
    const { progress, clock, written } = setUp({ isTTY: true, columns: 120 })
    using _ = progress
    progress.report({ phase: 'data', done: 5, total: 10, unit: 'items' })
    clock.ms = 60_000
    progress.tick()
    clock.ms = 75_000
    written()
    progress.tick()
    assert.match(written(), /0 items\/s {2}waiting for 1 min 15 s/)
  })

  it('leaves a line for each finished phase and none for an aborted one', () => {
    const { progress, clock, written } = setUp({ isTTY: true })
    {
      using _ = progress
      progress.report({ phase: 'schema', unit: 'items' })
      clock.ms = 300
      written()
      progress.report({ phase: 'data', done: 0, total: 10, unit: 'rows' })
      assert.ok(written().startsWith('\r\u001b[Kschema       0.3 s\n\rdata'))
    }
    assert.equal(written(), '\r\u001b[K')
  })

  it('steps aside for a warning', () => {
    const { progress, terminal, written } = setUp({ isTTY: true })
    using _ = progress
    progress.report({ phase: 'data', done: 1, unit: 'rows' })
    const line = written()
    terminal.warn('slow')
    assert.equal(written(), `\r\u001b[Kwarning: slow\n${line}`)
  })
})

describe('progress elsewhere', () => {
  it('writes a line at a change of phase and at most one in ten seconds', () => {
    const { progress, clock, written } = setUp()
    using _ = progress
    for (; clock.ms <= 25_000; clock.ms += 500) {
      progress.report({ phase: 'data', done: clock.ms, total: 100_000, unit: 'rows' })
    }
    progress.report({ phase: 'indexes', done: 0, unit: 'items' })
    const lines = written().split('\n')
    assert.equal(lines.length, 4)
    assert.match(lines[0] ?? '', /^data +10 % {2}10,000 rows of 100,000 rows {2}1,000 rows\/s {2}1 min 30 s left$/)
    assert.match(lines[1] ?? '', /^data +20 %/)
    assert.match(lines[2] ?? '', /^data +25,000 rows in 26 s$/)
    assert.ok(!lines.join('\n').includes('\u001b') && !lines.join('\n').includes('\r'))
  })

  it('says nothing with --json or --quiet', () => {
    for (const options of [{ json: true }, { quiet: true, isTTY: true }]) {
      const { progress, written } = setUp(options)
      using _ = progress
      progress.report({ phase: 'data', done: 1, unit: 'rows' })
      progress.finish()
      assert.equal(written(), '')
    }
  })
})
