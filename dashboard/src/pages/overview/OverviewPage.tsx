import { useQuery } from '@tanstack/react-query'
import { Database, Play, Plus } from 'lucide-react'
import { Link } from 'react-router'
import type { Overview } from '../../../../src/shapes/service.ts'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { plural } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { ButtonLink } from '../../ui/Button.tsx'
import { Empty } from '../../ui/Note.tsx'
import { AlertNote } from '../alerts/AlertNote.tsx'
import { RunLine } from '../runs/RunLine.tsx'
import { Answers } from './Answers.tsx'
import { DatabaseList } from './DatabaseList.tsx'
import { FirstSteps } from './FirstSteps.tsx'
import { RepositoryCard } from './RepositoryCard.tsx'

/** Could I restore each database right now, to when, and how do we know? */
export function OverviewPage() {
  const query = useQuery(queries.overview)
  return (
    <Asked query={query} what="the overview">
      {(overview) => <Known overview={overview} />}
    </Asked>
  )
}

function Known({ overview }: { overview: Overview }) {
  const { may } = useSession()
  const { databases, repositories, alerts, runs, todo } = overview
  const add = may('administer') && (
    <ButtonLink to="/add" kind={databases.length === 0 ? 'primary' : 'plain'} icon={<Plus />}>
      Add a database
    </ButtonLink>
  )
  if (databases.length === 0) {
    return (
      <Page title="Overview" about="Could you restore each database right now, to when, and how do we know?">
        <Empty icon={<Database aria-hidden="true" />} title="No database yet" action={add}>
          Paste the URL of one: it is tried at once, backed up to a repository that you choose, restored somewhere safe,
          and compared. Then you know.
        </Empty>
        <FirstSteps todo={todo} />
      </Page>
    )
  }
  return (
    <Page title={verdict(overview)} actions={add}>
      <Answers databases={databases} />
      <FirstSteps todo={todo} />
      {alerts.length > 0 && (
        <section className="section" aria-label="What needs attention">
          <div className="section-head">
            <h2>{plural(alerts.length, 'open alert')}</h2>
            {alerts.length > 3 && <Link to="/alerts">All of them</Link>}
          </div>
          <div className="stack tight">
            {alerts.slice(0, 3).map((alert) => (
              <AlertNote key={alert.id} alert={alert} />
            ))}
          </div>
        </section>
      )}
      <DatabaseList databases={databases} />
      <section className="section" aria-label="Repositories">
        <div className="section-head">
          <h2>Repositories</h2>
          <Link to="/repositories">Keys and checks</Link>
        </div>
        <div className="columns">
          {repositories.map((repository) => (
            <RepositoryCard key={repository.name} repository={repository} />
          ))}
        </div>
      </section>
      <section className="section" aria-label="Runs">
        <div className="section-head">
          <h2>Latest runs</h2>
          <Link to="/runs">All runs</Link>
        </div>
        {runs.length === 0 ? (
          <Empty icon={<Play aria-hidden="true" />} title="Nothing has run yet">
            Backups, proofs and everything else that is begun here or by a schedule shows up in this place.
          </Empty>
        ) : (
          <ul className="card run-list">
            {runs.slice(0, 8).map((run) => (
              <RunLine key={run.id} run={run} />
            ))}
          </ul>
        )}
      </section>
    </Page>
  )
}

/** The first of the three answers, as a sentence. A database counts if something proven could be restored now. */
function verdict({ databases, repositories }: Overview): string {
  const wanted = databases.filter((database) => !database.gone)
  const able = wanted.filter((database) => database.restorableTo !== null).length
  if (wanted.length === 0) return 'No database is backed up any more'
  const lost = repositories.filter(({ reachable }) => reachable === false).map(({ name }) => name)
  if (able === 0 && lost.length > 0 && databases.some(({ lastBackup }) => lastBackup !== null)) {
    return `Nothing can be restored right now: ${lost.length === 1 ? `the repository ${lost[0]}` : `the repositories ${lost.join(' and ')}`} can not be reached`
  }
  if (able === wanted.length) {
    return wanted.length === 1
      ? 'Your database can be restored right now'
      : wanted.length === 2
        ? 'Both databases can be restored right now'
        : `All ${wanted.length} databases can be restored right now`
  }
  if (able === 0)
    return wanted.length === 1
      ? 'Your database is not proven to be restorable yet'
      : 'No database is proven to be restorable yet'
  return `${able} of ${wanted.length} databases can be restored right now`
}
