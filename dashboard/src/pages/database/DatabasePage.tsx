import { useQuery } from '@tanstack/react-query'
import { Database, Play, RotateCcw, ShieldCheck } from 'lucide-react'
import { useNavigate, useParams, useSearchParams } from 'react-router'
import type { Backup, DatabaseSummary } from '../../../../src/shapes/database.ts'
import { queries } from '../../api/queries.ts'
import { startRun } from '../../api/runs.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { Timeline } from '../../charts/Timeline.tsx'
import { plural, sentence } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button, ButtonLink } from '../../ui/Button.tsx'
import { StateBadge } from '../../ui/Marks.tsx'
import { Empty, Note } from '../../ui/Note.tsx'
import { Remedy } from '../../ui/Remedy.tsx'
import { Tabs } from '../../ui/Tabs.tsx'
import { LostPage } from '../LostPage.tsx'
import { RestoreLeft } from '../restore/AfterRestore.tsx'
import { BackupPanel } from './BackupPanel.tsx'
import { BackupTable } from './BackupTable.tsx'
import { DatabaseFacts } from './DatabaseFacts.tsx'
import { DatabaseRuns } from './DatabaseRuns.tsx'
import { DatabaseSettings } from './DatabaseSettings.tsx'
import { Trends } from './Trends.tsx'

export function DatabasePage() {
  const { name = '' } = useParams()
  const database = useQuery(queries.database(name))
  return (
    <Asked query={database} what={name} lost={<LostPage />}>
      {(known) => <Known key={name} database={known} />}
    </Asked>
  )
}

function Known({ database }: { database: DatabaseSummary }) {
  const { may } = useSession()
  const backups = useQuery(queries.backups(database.name))
  return (
    <Page
      title={database.name}
      about={
        <>
          <StateBadge state={database.state} /> {database.source ?? 'known from the repository alone'}
          {database.server !== null && ` · found on the server “${database.server}”`}
        </>
      }
      crumbs={[{ to: '/', text: 'Overview' }]}
      actions={<Acts database={database} />}
    >
      <div className="stack">
        {database.reasons.map((reason) => (
          <Note
            key={reason.text}
            tone={reason.state === 'failing' ? 'bad' : reason.state === 'at-risk' ? 'risk' : 'idle'}
          >
            <p className="strong">{sentence(reason.text)}</p>
            {reason.remedy !== null && (
              <p className="hint">
                <Remedy text={reason.remedy} />
              </p>
            )}
          </Note>
        ))}
        <RestoreLeft database={database.name} />
        <DatabaseFacts database={database} />
        <Asked query={backups} what="its backups">
          {(known) =>
            known.length === 0 ? (
              <Empty icon={<Database aria-hidden="true" />} title="No backup yet">
                “Back up now” takes the first. It is whole by itself; every later one stores only what changed since.
              </Empty>
            ) : (
              <History backups={known} database={database.name} />
            )
          }
        </Asked>
        <Tabs
          label={database.name}
          tabs={[
            {
              id: 'backups',
              title: 'Backups',
              content: <BackupTable backups={backups.data ?? []} database={database.name} />,
            },
            {
              id: 'trends',
              title: 'Trends',
              content: <Trends backups={seriesOf(backups.data ?? [], database.name)} />,
            },
            { id: 'runs', title: 'Runs', content: <DatabaseRuns database={database.name} /> },
            ...(may('administer') && !database.gone
              ? [{ id: 'settings', title: 'Settings', content: <DatabaseSettings database={database} /> }]
              : []),
          ]}
        />
      </div>
    </Page>
  )
}

/** Those of the database itself, without what restores have saved of it. */
const seriesOf = (backups: Backup[], database: string) => backups.filter((backup) => backup.database === database)

/** The timeline, and what the backup that is chosen on it is. The choice is in the address. */
function History({ backups, database }: { backups: Backup[]; database: string }) {
  const [search, setSearch] = useSearchParams()
  const wanted = search.get('backup')
  const newest = seriesOf(backups, database).toSorted((a, b) => b.snapshotAt.localeCompare(a.snapshotAt))[0]
  const chosen = backups.find((backup) => backup.id === wanted) ?? newest ?? backups[0]
  const choose = (id: string) =>
    setSearch((old) => new URLSearchParams([...[...old].filter(([key]) => key !== 'backup'), ['backup', id]]), {
      replace: true,
    })
  return (
    <section className="card pad" aria-label="Timeline of backups">
      <div className="section-head timeline-head">
        <h2>{plural(backups.length, 'backup')}</h2>
      </div>
      <Timeline backups={backups} selected={chosen?.id} onSelect={choose} label="Backups, the oldest first" />
      {chosen && <BackupPanel backup={chosen} database={database} restores />}
    </section>
  )
}

function Acts({ database }: { database: DatabaseSummary }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const databases = [database.name]
  return (
    <>
      {may('operate') && !database.gone && (
        <Button icon={<Play />} onClick={() => void startRun({ command: 'backup', databases }, navigate)}>
          Back up now
        </Button>
      )}
      {may('operate') && database.lastBackup !== null && (
        <Button icon={<ShieldCheck />} onClick={() => void startRun({ command: 'prove', databases }, navigate)}>
          Prove
        </Button>
      )}
      {may('restore') && database.lastBackup !== null && (
        <ButtonLink kind="primary" icon={<RotateCcw />} to={`/restore?database=${encodeURIComponent(database.name)}`}>
          Restore…
        </ButtonLink>
      )}
    </>
  )
}
