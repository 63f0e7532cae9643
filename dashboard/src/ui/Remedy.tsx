import { useNavigate } from 'react-router'
import type { RunRequest } from '../../../src/shapes/run.ts'
import { startRun } from '../api/runs.ts'
import { useSession } from '../app/session.ts'
import { sentence } from '../text/format.ts'
import { Button } from './Button.tsx'

/** What to do: a sentence, or a command, which stays as it is to be typed, with a button where it can be begun from here. */
export function Remedy({ text }: { text: string }) {
  const { may } = useSession()
  const navigate = useNavigate()
  if (!text.startsWith('pgrevive ')) return sentence(text)
  const act = actOf(text)
  return (
    <>
      <code>{text}</code>{' '}
      {act && may('operate') && (
        <Button slim onClick={() => void startRun(act.request, navigate)}>
          {act.verb}
        </Button>
      )}
    </>
  )
}

/** Of the commands that the service names as remedies, those that a run can be of. */
function actOf(command: string): { verb: string; request: RunRequest } | null {
  const [, what, name = ''] = /^pgrevive (backup|prove --database|sync --to) ([\w.-]+)$/.exec(command) ?? []
  if (what === 'backup') return { verb: 'Back it up now', request: { command: 'backup', databases: [name] } }
  if (what === 'prove --database') return { verb: 'Prove it now', request: { command: 'prove', databases: [name] } }
  if (what === 'sync --to') return { verb: `Copy to ${name} now`, request: { command: 'sync', to: name } }
  return null
}
