import type { DatabaseSummary } from '../../../src/shapes/database.ts'
import { roughly } from '../text/format.ts'
import { objectiveTone } from '../ui/Marks.tsx'
import { useNow } from '../ui/now.ts'

const hour = 3_600_000
const marks = [
  { at: hour, text: '1 h' },
  { at: 24 * hour, text: '1 day' },
  { at: 168 * hour, text: '1 week' },
  { at: 720 * hour, text: '30 days' },
]
const furthest = Math.log(1500 * hour)
const nearest = Math.log(hour / 6)
const width = 300

/** Where on the way back each database would come to be restored: one tick each, now at the right, older to the left (logarithmic). */
export function Horizon({ databases }: { databases: DatabaseSummary[] }) {
  const now = useNow()
  const place = (age: number) => {
    const part = (Math.log(Math.max(age, hour / 6)) - nearest) / (furthest - nearest)
    return width - 4 - Math.min(1, Math.max(0, part)) * (width - 8)
  }
  const ages = databases.flatMap(({ restorableTo, state }) =>
    restorableTo === null ? [] : [{ age: Math.max(0, now - Date.parse(restorableTo)), state }],
  )
  const oldest = Math.max(...ages.map(({ age }) => age))
  return (
    <svg
      className="horizon"
      viewBox={`0 0 ${width} 44`}
      role="img"
      aria-label={ages.length === 0 ? 'Nothing is proven yet' : `The oldest proven state is ${roughly(oldest)} old`}
    >
      <path className="axis" d={`M0 24.5H${width}`} />
      {marks.map(({ at, text }) => (
        <g key={text}>
          <path className="axis" d={`M${place(at)} 22v5`} />
          <text x={place(at)} y="40" textAnchor="middle">
            {text}
          </text>
        </g>
      ))}
      <text x={width} y="40" textAnchor="end">
        now
      </text>
      {ages.map(({ age, state }, index) => (
        // Ticks have no identity but their order.
        <rect
          key={index}
          className={`tick tone-${objectiveTone[state]}`}
          x={place(age) - 1.25}
          y="5"
          width="2.5"
          height="19"
          rx="1"
        />
      ))}
    </svg>
  )
}
