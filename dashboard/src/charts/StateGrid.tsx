import type { DatabaseSummary } from '../../../src/shapes/database.ts'
import { objectiveTone, objectiveWords } from '../ui/Marks.tsx'

/** One small shape a database: filled square ok, triangle at risk, cross failing, ring unknown. */
export function StateGrid({ databases }: { databases: DatabaseSummary[] }) {
  const step = databases.length > 90 ? 9 : databases.length > 30 ? 13 : 20
  const perRow = Math.floor(300 / step)
  const rows = Math.max(1, Math.ceil(databases.length / perRow))
  const half = step / 2 - 1.5
  return (
    <svg className="state-grid" viewBox={`0 0 300 ${Math.max(44, rows * step)}`} aria-hidden="true">
      {databases.map((database, index) => (
        <g
          key={database.name}
          className={`tone-${objectiveTone[database.state]}`}
          transform={`translate(${(index % perRow) * step + step / 2} ${Math.floor(index / perRow) * step + step / 2})`}
        >
          <title>{`${database.name}: ${objectiveWords[database.state]}`}</title>
          {shapeOf(database.state, half)}
        </g>
      ))}
    </svg>
  )
}

function shapeOf(state: DatabaseSummary['state'], half: number) {
  switch (state) {
    case 'ok':
      return <rect className="fill" x={-half} y={-half} width={2 * half} height={2 * half} rx="2" />
    case 'at-risk':
      return <path className="fill" d={`M0 ${-half}L${half} ${half}H${-half}Z`} />
    case 'failing':
      return <path className="line" d={`M${-half} ${-half}L${half} ${half}M${half} ${-half}L${-half} ${half}`} />
    case 'unknown':
      return <circle className="hollow" r={half - 0.8} />
  }
}
