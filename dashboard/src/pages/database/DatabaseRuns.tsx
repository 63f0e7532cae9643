import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { queries } from '../../api/queries.ts'
import { Asked } from '../../ui/Asked.tsx'
import { RunLine } from '../runs/RunLine.tsx'

export function DatabaseRuns({ database }: { database: string }) {
  const query = useQuery(queries.runs({ database }))
  return (
    <Asked query={query} what="its runs">
      {(page) =>
        page.items.length === 0 ? (
          <p className="quiet">Nothing has run for it yet.</p>
        ) : (
          <div className="stack">
            <ul className="card run-list">
              {page.items.slice(0, 20).map((run) => (
                <RunLine key={run.id} run={run} />
              ))}
            </ul>
            <Link to={`/runs?database=${encodeURIComponent(database)}`}>All of its runs</Link>
          </div>
        )
      }
    </Asked>
  )
}
