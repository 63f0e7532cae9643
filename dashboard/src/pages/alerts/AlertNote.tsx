import { BellOff } from 'lucide-react'
import { Link } from 'react-router'
import type { Alert } from '../../../../src/shapes/alert.ts'
import { at, post } from '../../api/client.ts'
import { useSession } from '../../app/session.ts'
import { Button } from '../../ui/Button.tsx'
import { Note } from '../../ui/Note.tsx'
import { Remedy } from '../../ui/Remedy.tsx'
import { Ago } from '../../ui/Time.tsx'
import { severityTone } from '../../ui/Marks.tsx'
import { act } from '../../ui/toasts.tsx'

/** One trouble: what, since when, what to do, whom it was told. */
export function AlertNote({ alert }: { alert: Alert }) {
  const { may } = useSession()
  const failed = alert.deliveries.filter((delivery) => delivery.state === 'failed')
  const open = alert.closedAt === null
  return (
    <Note
      tone={open ? severityTone[alert.severity] : 'idle'}
      action={
        open &&
        alert.acknowledgedBy === null &&
        may('operate') && (
          <Button
            slim
            icon={<BellOff />}
            onClick={() =>
              void act(
                () => post(at`alerts/${alert.id}/acknowledge`),
                'Nobody is reminded of it any more, until it ends.',
              )
            }
          >
            Acknowledge
          </Button>
        )
      }
    >
      <p>
        <span className="strong">{alert.title}</span>
      </p>
      <p>{alert.text}</p>
      {alert.remedy !== null && (
        <p className="hint">
          <Remedy text={alert.remedy} />
        </p>
      )}
      <p className="small quiet">
        {open ? 'since ' : 'ended '}
        <Ago at={alert.closedAt ?? alert.openedAt} />
        {alert.acknowledgedBy !== null && ` · acknowledged by ${alert.acknowledgedBy}`}
        {alert.run !== null && (
          <>
            {' · '}
            <Link to={`/runs/${alert.run}`}>its run</Link>
          </>
        )}
        {failed.map((delivery) => (
          <span key={`${delivery.channel} ${delivery.at}`} className="tone-bad">
            {' '}
            · could not be told to {delivery.channel}: {delivery.error}
          </span>
        ))}
      </p>
    </Note>
  )
}
