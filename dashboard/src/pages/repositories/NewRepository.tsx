import { useState } from 'react'
import type { Repository } from '../../../../src/shapes/repository.ts'
import { at, post } from '../../api/client.ts'
import { Button } from '../../ui/Button.tsx'
import { Check, TextField, wrongName } from '../../ui/Field.tsx'
import { Problem } from '../../ui/Note.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Waiting } from '../../ui/Waiting.tsx'
import { RecoveryKit } from './RecoveryKit.tsx'

interface Made {
  repository: Repository
  recoveryKit: string | null
}

/** A place, made into a repository; then its recovery kit, which is given this once. */
export function NewRepository({ done, first, back }: { done: () => void; first?: boolean; back?: () => void }) {
  const [name, setName] = useState(first ? 'local' : '')
  const [place, setPlace] = useState(first ? './backups' : '')
  const [init, setInit] = useState(true)
  const [made, setMade] = useState<Made | null>(null)
  const making = useAct(
    () => post<Made>(at`repositories`, { name, place, init }),
    (answer) => (answer.recoveryKit === null ? done() : setMade(answer)),
  )
  if (made?.recoveryKit) return <RecoveryKit name={made.repository.name} kit={made.recoveryKit} done={done} />
  return (
    <form className="form" onSubmit={making.submit} onChange={making.forget}>
      <div className="form-row">
        <TextField
          label="Name"
          required
          maxLength={200}
          wrong={wrongName(name)}
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="offsite"
        />
      </div>
      <TextField
        label="Place"
        required
        className="mono"
        value={place}
        onChange={(event) => setPlace(event.target.value)}
        placeholder="s3://bucket/folder"
        hint="A directory inside that of pgrevive.yaml (./backups) or one of service.repository_directories, s3://bucket/folder, gs://…, azure://…, or sftp://host/folder. What signs in to it is read from the environment or pgrevive.yaml."
      />
      {!first && (
        <Check checked={!init} onChange={(event) => setInit(!event.target.checked)}>
          There is a repository already: use it
        </Check>
      )}
      {making.busy && <Waiting what="Trying the place, and making keys" />}
      {making.error && <Problem error={making.error} />}
      <div className="form-foot">
        {back && <Button onClick={back}>Back</Button>}
        <Button kind="primary" type="submit" disabled={making.busy || Boolean(wrongName(name))}>
          {init ? 'Make the repository' : 'Add it'}
        </Button>
      </div>
    </form>
  )
}
