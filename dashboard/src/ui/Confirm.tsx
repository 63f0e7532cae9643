import { useState, type ReactNode } from 'react'
import { Button } from './Button.tsx'
import { Dialog } from './Dialog.tsx'
import { TextField } from './Field.tsx'
import { Problem } from './Note.tsx'
import { Waiting } from './Waiting.tsx'

/** Asks before something that can't be taken back; with `typed`, that has to be typed first. */
export function Confirm({
  open,
  onClose,
  title,
  children,
  verb,
  typed,
  act,
}: {
  open: boolean
  onClose: () => void
  title: string
  children: ReactNode
  verb: string
  typed?: string
  act: () => Promise<unknown>
}) {
  const [text, setText] = useState('')
  const [error, setError] = useState<Error | null>(null)
  const [busy, setBusy] = useState(false)
  const close = () => {
    setText('')
    setError(null)
    onClose()
  }
  const go = async () => {
    setBusy(true)
    try {
      await act()
      close()
    } catch (problem) {
      setError(problem as Error)
    } finally {
      setBusy(false)
    }
  }
  const ready = typed === undefined || text === typed
  return (
    <Dialog open={open} onClose={close} title={title}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) void go()
        }}
      >
        <div className="stack tight">{children}</div>
        {typed !== undefined && (
          <TextField
            label={`Type ${typed} to confirm`}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
        {busy && <Waiting what={verb} />}
        {error && <Problem error={error} />}
        <div className="form-foot">
          <Button onClick={close}>Leave it as it is</Button>
          <Button kind="danger" type="submit" disabled={!ready || busy}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
