import { useState, type PointerEvent } from 'react'
import type { Day } from '../../../src/shapes/database.ts'
import { plural } from '../text/format.ts'
import { dayText, kindOf, type DayKind } from './day-kind.ts'

const width = 5
const gap = 2
const height = 26
const kinds: DayKind[] = ['proven', 'backed-up', 'refuted', 'failed', 'missed', 'none']

/**
 * Thirty days: a full bar was proven, a hollow one backed up, a broken one refuted; a cross failed, a dash was missed, a dot is
 * nothing. One path a kind, not one a day: there may be hundreds of strips.
 */
export function DayStrip({ days }: { days: Day[] }) {
  const [pointed, setPointed] = useState<Day | undefined>()
  const wide = Math.max(1, days.length * (width + gap) - gap)
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const { left, width: shown } = event.currentTarget.getBoundingClientRect()
    setPointed(days[Math.floor(((event.clientX - left) / shown) * days.length)])
  }
  return (
    <svg
      className="day-strip"
      viewBox={`0 0 ${wide} ${height}`}
      role="img"
      aria-label={summary(days)}
      onPointerMove={point}
      onPointerLeave={() => setPointed(undefined)}
    >
      <title>{pointed ? dayText(pointed) : summary(days)}</title>
      <rect className="target" width={wide} height={height} />
      {kinds.map((kind) => {
        const path = days
          .map((day, index) => (kindOf(day) === kind ? shapeOf(kind, index * (width + gap)) : ''))
          .join('')
        return path === '' ? null : <path key={kind} className={`day ${kind}`} d={path} />
      })}
    </svg>
  )
}

function summary(days: Day[]): string {
  const proven = days.filter((day) => day.proven > 0).length
  const bad = days.filter((day) => ['refuted', 'failed', 'missed'].includes(kindOf(day))).length
  return `The last ${plural(days.length, 'day')}: ${plural(proven, 'day')} with a proven backup${bad === 0 ? '' : `, ${plural(bad, 'day')} with trouble`}`
}

function shapeOf(kind: DayKind, x: number): string {
  switch (kind) {
    case 'proven':
      return `M${x} 3h${width}v${height - 6}h-${width}z`
    case 'backed-up':
      return `M${x + 0.6} 9.6h${width - 1.2}v${height - 13.2}h-${width - 1.2}z`
    case 'refuted':
      return `M${x} 3h${width}v8l-${width} 3zM${x} 16.5l${width} -3v9.5h-${width}z`
    case 'failed':
      return `M${x + 0.4} ${height - 8}l4.2 4.6m0 -4.6l-4.2 4.6`
    case 'missed':
      return `M${x} ${height - 5.5}h${width}`
    case 'none':
      return `M${x + width / 2} ${height - 5.5}h0.01`
  }
}
