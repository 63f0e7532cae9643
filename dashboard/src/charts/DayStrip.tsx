import type { Day } from '../../../src/shapes/database.ts'
import { plural } from '../text/format.ts'
import { dayText, kindOf, type DayKind } from './day-kind.ts'

const width = 5
const gap = 2
const height = 26

/** Thirty days: a full bar was proven, a hollow one backed up, a cross failed, a dash missed, a dot is nothing. */
export function DayStrip({ days }: { days: Day[] }) {
  const wide = days.length * (width + gap) - gap
  const proven = days.filter((day) => day.proven > 0).length
  const bad = days.filter((day) => ['refuted', 'failed', 'missed'].includes(kindOf(day))).length
  const said = `The last ${plural(days.length, 'day')}: ${plural(proven, 'day')} with a proven backup${bad === 0 ? '' : `, ${plural(bad, 'day')} with trouble`}`
  return (
    <svg className="day-strip" viewBox={`0 0 ${Math.max(wide, 1)} ${height}`} role="img" aria-label={said}>
      {days.map((day, index) => (
        <g key={day.date} className={`day ${kindOf(day)}`} transform={`translate(${index * (width + gap)} 0)`}>
          <title>{dayText(day)}</title>
          <rect className="target" x={-gap / 2} width={width + gap} height={height} />
          {shapeOf(kindOf(day))}
        </g>
      ))}
    </svg>
  )
}

function shapeOf(kind: DayKind) {
  switch (kind) {
    case 'proven':
      return <rect className="fill" y="3" width={width} height={height - 6} rx="1.5" />
    case 'backed-up':
      return <rect className="hollow" x="0.6" y="9.6" width={width - 1.2} height={height - 13.2} rx="1.2" />
    case 'refuted':
      return <path className="fill" d={`M0 3h${width}v8L0 14ZM0 16.5l${width}-3V23H0Z`} />
    case 'failed':
      return <path className="line" d={`m0.4 ${height - 8} 4.2 4.6m0-4.6-4.2 4.6`} />
    case 'missed':
      return <path className="line" d={`M0 ${height - 5.5}h${width}`} />
    case 'none':
      return <circle className="dot" cx={width / 2} cy={height - 5.5} r="1" />
  }
}
