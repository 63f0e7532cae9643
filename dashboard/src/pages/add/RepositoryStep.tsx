import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import type { DatabaseSummary } from '../../../../src/shapes/database.ts'
import type { Repository } from '../../../../src/shapes/repository.ts'
import { at, post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Button } from '../../ui/Button.tsx'
import { Problem } from '../../ui/Note.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Waiting } from '../../ui/Waiting.tsx'
import { NewRepository } from '../repositories/NewRepository.tsx'
import type { Connection } from './ConnectStep.tsx'

/** Where backups lie: there may be repositories already; otherwise the first is made here. */
export function RepositoryStep({
  known,
  connection,
  back,
  then,
}: {
  known: Repository[]
  connection: Connection
  back: () => void
  then: (database: string) => void
}) {
  const client = useQueryClient()
  const added = useAct(
    () =>
      post<DatabaseSummary>(at`databases`, {
        name: connection.name,
        url: connection.url,
        ...(connection.password && { password: connection.password }),
      }),
    () => {
      void client.invalidateQueries({ queryKey: queries.overview.queryKey })
      then(connection.name)
    },
  )
  const [makesFirst, setMakesFirst] = useState(known.length === 0)
  if (makesFirst) {
    return (
      <div className="stack">
        <h2>Where do backups lie?</h2>
        <p className="quiet">
          Everything is encrypted before it is written. A directory will do to begin with; add a second place elsewhere
          later.
        </p>
        <NewRepository
          first
          back={back}
          done={() => {
            setMakesFirst(false)
            void client.invalidateQueries({ queryKey: queries.repositories.queryKey })
            void added.go()
          }}
        />
        {added.busy && <Waiting what="Adding the database" />}
        {added.error && <Problem error={added.error} action={<Button onClick={back}>Back</Button>} />}
      </div>
    )
  }
  return <Existing known={known} busy={added.busy} error={added.error} back={back} go={() => void added.go()} />
}

function Existing({
  known,
  busy,
  error,
  back,
  go,
}: {
  known: Repository[]
  busy: boolean
  error: Error | null
  back: () => void
  go: () => void
}) {
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => button.current?.focus(), [])
  return (
    <div className="stack">
      <h2>Its backups go into {known.length === 1 ? 'the repository' : `all ${known.length} repositories`}</h2>
      <ul className="stack tight">
        {known.map((repository) => (
          <li key={repository.name}>
            <span className="strong">{repository.name}</span> <span className="quiet break">{repository.place}</span>
          </li>
        ))}
      </ul>
      <p className="quiet">What databases have in common is stored once.</p>
      {busy && <Waiting what="Adding the database" />}
      {error && <Problem error={error} />}
      <div className="form-foot">
        <Button disabled={busy} onClick={back}>
          Back
        </Button>
        <Button kind="primary" disabled={busy} onClick={go} autoFocus>
          Add the database
        </Button>
      </div>
    </div>
  )
}
