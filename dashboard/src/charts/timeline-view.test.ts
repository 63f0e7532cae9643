import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pan, reveal, ticks, whole, zoom } from './timeline-view.ts'

const day = 86_400_000
const bounds = { from: 0, to: 100 * day }

describe('the view of a timeline', () => {
  it('shows all there is, with room at both ends, even of a single moment', () => {
    const view = whole([10 * day, 20 * day])
    assert.ok(view.from < 10 * day && view.to > 20 * day)
    const single = whole([10 * day])
    assert.ok(single.from < 10 * day && single.to > 10 * day)
  })

  it('zooms around a moment that stays where it is', () => {
    const view = zoom(bounds, 0.5, 25 * day, bounds)
    assert.equal(view.to - view.from, 50 * day)
    assert.equal((25 * day - view.from) / (view.to - view.from), 0.25)
  })

  it('never leaves what there is, and never gets closer than a minute', () => {
    assert.deepEqual(zoom(bounds, 5, 50 * day, bounds), bounds)
    const near = zoom({ from: 50 * day, to: 50 * day + 60_000 }, 0.01, 50 * day, bounds)
    assert.equal(near.to - near.from, 60_000)
    assert.deepEqual(pan({ from: 0, to: 10 * day }, -5 * day, bounds), { from: 0, to: 10 * day })
    assert.deepEqual(pan({ from: 80 * day, to: 100 * day }, 5 * day, bounds), { from: 80 * day, to: 100 * day })
  })

  it('moves only as far as a moment needs to be in sight', () => {
    const view = { from: 40 * day, to: 50 * day }
    assert.deepEqual(reveal(view, 45 * day, bounds), view)
    const before = reveal(view, 30 * day, bounds)
    assert.ok(before.from < 30 * day && before.to > 30 * day && before.to - before.from === 10 * day)
    const after = reveal(view, 60 * day, bounds)
    assert.ok(after.from < 60 * day && after.to > 60 * day)
  })

  it('marks round moments, no more of them than there is room for', () => {
    for (const span of [10 * 60_000, 3 * 3_600_000, 2 * day, 40 * day, 1000 * day]) {
      const found = ticks({ from: 7 * day + 1, to: 7 * day + 1 + span }, 8)
      assert.ok(found.length >= 1 && found.length <= 9, `${span}: ${found.length}`)
    }
    const hours = ticks({ from: Date.parse('2026-11-23T00:10:00'), to: Date.parse('2026-11-23T06:00:00') }, 6)
    assert.ok(hours.every(({ at }) => new Date(at).getMinutes() === 0))
  })
})
