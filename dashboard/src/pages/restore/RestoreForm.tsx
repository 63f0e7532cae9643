import { useState } from 'react'
import type { Backup, DatabaseSummary } from '../../../../src/shapes/database.ts'
import type { Run, RunRequest } from '../../../../src/shapes/run.ts'
import { Check, TextField } from '../../ui/Field.tsx'
import { PlanStep } from './PlanStep.tsx'
import { Step } from './Step.tsx'
import { TablePicker, type TableName } from './TablePicker.tsx'
import { WayCards, type Way } from './WayCards.tsx'

type Request = Extract<RunRequest, { command: 'restore' }>

/** The way, what it needs to know, and then the plan. Whatever is changed makes the plan be asked for again. */
export function RestoreForm({
  database,
  backup,
  begun,
}: {
  database: DatabaseSummary
  backup: Backup
  begun: (run: Run) => void
}) {
  const isLive = !database.gone && database.source !== null
  const [way, setWay] = useState<Way>('new')
  const [name, setName] = useState(`${database.name}_restored`)
  const [tables, setTables] = useState<TableName[]>([])
  const [schema, setSchema] = useState('restored')
  const [safety, setSafety] = useState(true)
  const [roles, setRoles] = useState(false)

  const request: Request = {
    command: 'restore',
    way,
    backup: backup.id,
    to: way === 'new' ? name.trim() : database.name,
    ...(way === 'rows' ? { tables, intoSchema: schema.trim() } : {}),
    ...(way === 'in-place' || way === 'replace' ? { safetyBackup: safety } : {}),
    ...(roles ? { createRoles: true } : {}),
  }
  const missing =
    way === 'new' && name.trim() === ''
      ? 'Give the new database a name.'
      : way === 'rows' && tables.length === 0
        ? 'Choose the tables.'
        : way === 'rows' && schema.trim() === ''
          ? 'Name the schema that they go into.'
          : null

  return (
    <>
      <section className="card pad stack">
        <h2>
          <Step number={2} /> How
        </h2>
        <WayCards way={way} onChange={setWay} isLive={isLive} />
        {way === 'new' && (
          <div className="narrow">
            <TextField
              label="Name of the new database"
              value={name}
              onChange={(event) => setName(event.target.value)}
              hint="It is made on the server that the backup is of."
            />
          </div>
        )}
        {way === 'rows' && (
          <>
            <TablePicker backup={backup.id} chosen={tables} onChange={setTables} />
            <div className="narrow">
              <TextField
                label="Into the schema"
                value={schema}
                onChange={(event) => setSchema(event.target.value)}
                hint="It is made if it is not there. The live tables stay as they are."
              />
            </div>
          </>
        )}
        {(way === 'in-place' || way === 'replace') && (
          <Check checked={safety} onChange={(event) => setSafety(event.target.checked)}>
            Back up what it holds now, before it is replaced
          </Check>
        )}
        {way !== 'rows' && (
          <Check checked={roles} onChange={(event) => setRoles(event.target.checked)}>
            Make roles that the server lacks <span className="quiet">(without passwords)</span>
          </Check>
        )}
      </section>
      <section className="card pad stack">
        <h2>
          <Step number={3} /> The plan
        </h2>
        {missing === null ? (
          <PlanStep
            request={request}
            confirms={way === 'in-place' || way === 'replace' ? database.name : null}
            begun={begun}
          />
        ) : (
          <p className="quiet">{missing}</p>
        )}
      </section>
    </>
  )
}
