import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useState } from 'react'
import { at, post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Button } from '../../ui/Button.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { Check } from '../../ui/Field.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { useAct } from '../../ui/use-act.ts'

/** Given once. Nobody goes on before it was taken along. */
export function RecoveryKit({ name, kit, done }: { name: string; kit: string; done: () => void }) {
  const [taken, setTaken] = useState(false)
  const [kept, setKept] = useState(false)
  const client = useQueryClient()
  const confirmed = useAct(() => keepKit(name, client), done)
  const download = () => {
    const url = URL.createObjectURL(new Blob([kit], { type: 'text/plain' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `pgrevive-recovery-kit-${name}.txt`
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
    setTaken(true)
  }
  return (
    <div className="stack">
      <Note tone="risk">
        <p className="strong">This is the recovery kit of “{name}”. It is shown this once.</p>
        <p className="hint">
          Everything is encrypted before it is written: if this machine is lost, the kit is the only way to your
          backups. Keep it somewhere else, such as a password manager or a printed page in a safe.
        </p>
      </Note>
      <div className="recovery-kit">
        <Copyable text={kit} what="the recovery kit" />
      </div>
      <div className="row">
        <Button kind={taken ? 'plain' : 'primary'} icon={<Download />} onClick={download}>
          Save as a file
        </Button>
      </div>
      <Check checked={kept} onChange={(event) => setKept(event.target.checked)}>
        I keep it in another place than this machine
      </Check>
      {confirmed.error && <Problem error={confirmed.error} />}
      <div className="form-foot">
        <Button kind="primary" disabled={!kept || confirmed.busy} onClick={() => void confirmed.go()}>
          Go on
        </Button>
      </div>
    </div>
  )
}

/** Says for everybody that it is kept: nobody is asked to any more. */
async function keepKit(repository: string, client: QueryClient): Promise<void> {
  await post(at`repositories/${repository}/kit-kept`)
  await client.invalidateQueries({ queryKey: queries.overview.queryKey })
}

/** Of a repository whose kit was shown, and nobody has said to keep: it is never shown here again. */
export function WaitingKit({ repository }: { repository: string }) {
  const client = useQueryClient()
  const confirmed = useAct(() => keepKit(repository, client))
  return (
    <Note
      tone="risk"
      action={
        <Button slim disabled={confirmed.busy} onClick={() => void confirmed.go()}>
          I keep it somewhere else
        </Button>
      }
    >
      <p className="strong">Nobody has said that the recovery kit of “{repository}” is kept.</p>
      <p>If this machine is lost, it is the only way to your backups. This prints it, on the machine of the service:</p>
      <Copyable text={`pgrevive key kit --repo ${repository}`} what="the command" />
      {confirmed.error && <Problem error={confirmed.error} />}
    </Note>
  )
}
