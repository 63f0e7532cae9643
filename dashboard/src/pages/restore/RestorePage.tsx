import { useQuery } from '@tanstack/react-query'
import { RotateCcw } from 'lucide-react'
import { useState } from 'react'
import { useNavigate, useSearchParams } from 'react-router'
import type { Backup, DatabaseSummary } from '../../../../src/shapes/database.ts'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { Timeline } from '../../charts/Timeline.tsx'
import { Asked } from '../../ui/Asked.tsx'
import { ButtonLink } from '../../ui/Button.tsx'
import { SelectField } from '../../ui/Field.tsx'
import { Empty } from '../../ui/Note.tsx'
import { BackupPanel } from '../database/BackupPanel.tsx'
import { RestoreLeft } from './AfterRestore.tsx'
import { RestoreForm } from './RestoreForm.tsx'
import { Step } from './Step.tsx'

/** A point in time, a way, a plan, and a name typed to confirm: then it is done, and can be undone. */
export function RestorePage() {
  const overview = useQuery(queries.overview)
  return (
    <Page
      title="Restore"
      about="Nothing is touched before you have seen the plan. What is live stays live until the restored database has been verified."
    >
      <Asked query={overview} what="the databases">
        {({ databases }) => <Choice databases={databases.filter((database) => database.lastBackup !== null)} />}
      </Asked>
    </Page>
  )
}

function Choice({ databases }: { databases: DatabaseSummary[] }) {
  const [search, setSearch] = useSearchParams()
  const name = search.get('database') ?? (databases.length === 1 ? databases[0]?.name : undefined) ?? ''
  const database = databases.find((one) => one.name === name)
  if (databases.length === 0) {
    return (
      <Empty
        icon={<RotateCcw aria-hidden="true" />}
        title="Nothing to restore yet"
        action={<ButtonLink to="/add">Add a database</ButtonLink>}
      >
        With the first backup, a point in time to go back to shows up here.
      </Empty>
    )
  }
  return (
    <div className="stack">
      <section className="card pad stack">
        <h2>
          <Step number={1} /> What, and to when
        </h2>
        <div className="narrow">
          <SelectField label="Database" value={name} onChange={(event) => setSearch({ database: event.target.value })}>
            <option value="" disabled>
              Choose one
            </option>
            {databases.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </SelectField>
        </div>
        {database && <Point key={name} database={database} />}
      </section>
      {database && <RestoreLeft database={name} />}
      {database && <Rest key={name} database={database} />}
    </div>
  )
}

function useChosen(database: DatabaseSummary): { backups: Backup[] | undefined; chosen: Backup | undefined } {
  const [search] = useSearchParams()
  const { data } = useQuery(queries.backups(database.name))
  const sorted = data?.toSorted((a, b) => b.snapshotAt.localeCompare(a.snapshotAt))
  const own = sorted?.filter((backup) => backup.database === database.name)
  // Unless told otherwise: the newest that is proven, or the newest; not what a restore has saved.
  const chosen =
    sorted?.find((backup) => backup.id === search.get('backup')) ??
    own?.find((backup) => backup.proof?.outcome === 'proven') ??
    own?.[0] ??
    sorted?.[0]
  return { backups: sorted, chosen }
}

function Point({ database }: { database: DatabaseSummary }) {
  const query = useQuery(queries.backups(database.name))
  const [, setSearch] = useSearchParams()
  const { chosen } = useChosen(database)
  return (
    <Asked query={query} what="its backups">
      {(backups) => (
        <div className="timeline-room">
          <Timeline
            backups={backups}
            selected={chosen?.id}
            onSelect={(backup) => setSearch({ database: database.name, backup }, { replace: true })}
            label="Backups to restore, the oldest first"
          />
          {chosen && <BackupPanel backup={chosen} database={database.name} />}
        </div>
      )}
    </Asked>
  )
}

function Rest({ database }: { database: DatabaseSummary }) {
  const { chosen } = useChosen(database)
  const navigate = useNavigate()
  const [begun, setBegun] = useState(false)
  if (!chosen || begun) return null
  return (
    <RestoreForm
      key={chosen.id}
      database={database}
      backup={chosen}
      begun={(run) => {
        setBegun(true)
        void navigate(`/runs/${run.id}`)
      }}
    />
  )
}
