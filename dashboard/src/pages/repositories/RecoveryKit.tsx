import { Download } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../../ui/Button.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { Check } from '../../ui/Field.tsx'
import { Note } from '../../ui/Note.tsx'

/** Given once. Nobody goes on before it was taken along. */
export function RecoveryKit({ name, kit, done }: { name: string; kit: string; done: () => void }) {
  const [taken, setTaken] = useState(false)
  const [kept, setKept] = useState(false)
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
      <div className="form-foot">
        <Button kind="primary" disabled={!kept} onClick={done}>
          Go on
        </Button>
      </div>
    </div>
  )
}
