import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import type { DatabaseSummary } from '../../../../src/shapes/database.ts'
import { at, patch, remove } from '../../api/client.ts'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { TextField } from '../../ui/Field.tsx'
import { Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Waiting } from '../../ui/Waiting.tsx'

/** What is demanded of it, as pgrevive.yaml writes durations; and the way out of the configuration. */
export function DatabaseSettings({ database }: { database: DatabaseSummary }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [rpo, setRpo] = useState(written(database.objectives.rpo))
  const [proveEvery, setProveEvery] = useState(written(database.objectives.proveEvery))
  const [restoreWithin, setRestoreWithin] = useState(written(database.objectives.restoreWithin))
  const [removing, setRemoving] = useState(false)
  const saved = useAct(
    () =>
      patch(at`databases/${database.name}`, {
        objectives: Object.fromEntries(
          Object.entries({ rpo, prove_every: proveEvery, restore_within: restoreWithin }).filter(
            ([, value]) => value !== '',
          ),
        ),
      }),
    () => {
      tell('Saved. The state is judged by it from now on.')
      void client.invalidateQueries()
    },
  )
  return (
    <div className="stack">
      <form className="card pad form" onSubmit={saved.submit} onChange={saved.forget}>
        <h2>Objectives</h2>
        <div className="form-row">
          <TextField
            label="Backups at most this old"
            value={rpo}
            onChange={(event) => setRpo(event.target.value)}
            placeholder="24h"
            hint="rpo: what may be lost"
          />
          <TextField
            label="Prove every"
            value={proveEvery}
            onChange={(event) => setProveEvery(event.target.value)}
            placeholder="7d"
            hint="prove_every: how long a proof counts"
          />
          <TextField
            label="Restore within"
            value={restoreWithin}
            onChange={(event) => setRestoreWithin(event.target.value)}
            placeholder="30m"
            hint="restore_within: how long a restore may take"
          />
        </div>
        {saved.error && <Problem error={saved.error} />}
        <div>
          <Button kind="primary" type="submit" disabled={saved.busy}>
            Save
          </Button>
        </div>
      </form>
      {database.server === null && <Connection database={database} />}
      <section className="card pad row spread">
        <p>
          <span className="strong">Stop backing it up.</span>{' '}
          <span className="quiet">It leaves the configuration; its backups stay.</span>
        </p>
        <Button onClick={() => setRemoving(true)}>Take it out…</Button>
      </section>
      <Confirm
        open={removing}
        onClose={() => setRemoving(false)}
        title={`Take ${database.name} out of the configuration?`}
        verb="Take it out"
        typed={database.name}
        act={async () => {
          await remove(at`databases/${database.name}`)
          await client.invalidateQueries()
          await navigate('/')
        }}
      >
        <p>It is not backed up any more. Its backups stay as long as the retention says, and can be restored.</p>
      </Confirm>
    </div>
  )
}

/** Another password, or another place; either is tried before it is kept. */
function Connection({ database }: { database: DatabaseSummary }) {
  const client = useQueryClient()
  const [url, setUrl] = useState('')
  const [password, setPassword] = useState('')
  const saved = useAct(
    () =>
      patch(at`databases/${database.name}`, {
        ...(url.trim() !== '' && { url: url.trim() }),
        ...(password !== '' && { password }),
      }),
    () => {
      tell('It was reached like this, and is from now on.')
      setUrl('')
      setPassword('')
      void client.invalidateQueries()
    },
  )
  return (
    <form className="card pad form" onSubmit={saved.submit} onChange={saved.forget}>
      <h2>Connection</h2>
      <p className="quiet break">It is reached as {database.source}.</p>
      <TextField
        label="Another password"
        type="password"
        autoComplete="new-password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        hint="Kept in a file of its own, and never given out again."
      />
      <TextField
        label="Another URL"
        className="mono"
        value={url}
        onChange={(event) => setUrl(event.target.value)}
        placeholder="postgres://user@db.example:5432/shop"
        hint="Only if it has moved. Its password is entered along with it."
      />
      {saved.busy && <Waiting what="Trying it" />}
      {saved.error && <Problem error={saved.error} />}
      <div>
        <Button type="submit" disabled={saved.busy || (url.trim() === '' && password === '')}>
          Try it, and keep it
        </Button>
      </div>
    </form>
  )
}

/** "24h", "7d", "30m": the largest unit that goes into it evenly. */
function written(ms: number | null): string {
  if (ms === null) return ''
  for (const [unit, length] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const) {
    if (ms % length === 0 && (unit !== 'd' || ms > length)) return `${ms / length}${unit}`
  }
  return `${Math.round(ms / 1000)}s`
}
