import { startTransition, useDeferredValue, useEffect, useState } from 'react'
import type { DatabaseSummary, ObjectiveState } from '../../../../src/shapes/database.ts'
import { plural } from '../../text/format.ts'
import { Choices } from '../../ui/Choices.tsx'
import { objectiveWords } from '../../ui/Marks.tsx'
import { DatabaseRow } from './DatabaseRow.tsx'

const urgency: Record<ObjectiveState, number> = { failing: 0, 'at-risk': 1, unknown: 2, ok: 3 }

/** As many rows as a screen shows, and some; the others come right after the first paint. */
const firstRows = 25

/** What needs attention comes first. Rows out of sight are not laid out (content-visibility), so that hundreds are no burden. */
export function DatabaseList({ databases }: { databases: DatabaseSummary[] }) {
  const [text, setText] = useState('')
  const [state, setState] = useState<ObjectiveState | 'all'>('all')
  const [all, setAll] = useState(false)
  useEffect(() => startTransition(() => setAll(true)), [])
  const wanted = useDeferredValue(text.trim().toLowerCase())
  const shown = databases
    .filter((database) => (state === 'all' || database.state === state) && database.name.toLowerCase().includes(wanted))
    .toSorted(
      (a, b) => Number(a.gone) - Number(b.gone) || urgency[a.state] - urgency[b.state] || a.name.localeCompare(b.name),
    )
  const present = (Object.keys(urgency) as ObjectiveState[]).filter((one) =>
    databases.some((each) => each.state === one),
  )
  return (
    <section className="section" aria-label="Databases">
      <div className="section-head">
        <h2>Databases</h2>
        {present.length > 1 && (
          <Choices
            label="State"
            value={state}
            onChange={setState}
            options={[
              { value: 'all', label: 'All' },
              ...present.map((one) => ({ value: one, label: objectiveWords[one] })),
            ]}
          />
        )}
        {databases.length > 8 && (
          <input
            className="input slim filter"
            type="search"
            aria-label="Part of a database's name"
            placeholder="Filter by name"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </div>
      <div className="card database-list">
        <div className="database-columns" aria-hidden="true">
          <span>Database</span>
          <span>Restorable to</span>
          <span>How we know</span>
          <span>30 days</span>
          <span>Size</span>
          <span>Backups</span>
          <span />
        </div>
        <ul>
          {(all ? shown : shown.slice(0, firstRows)).map((database) => (
            <DatabaseRow key={database.name} database={database} />
          ))}
        </ul>
        {shown.length === 0 && (
          <p className="nothing">No database fits. {plural(databases.length, 'database')} in all.</p>
        )}
      </div>
    </section>
  )
}
