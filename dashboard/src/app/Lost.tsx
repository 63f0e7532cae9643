import { useConnectionLostAt } from '../api/connection.ts'
import { clock } from '../text/format.ts'
import { Note } from '../ui/Note.tsx'

/** Over everything that is shown while the service is not heard: what was true then may not be now. */
export function Lost() {
  const lostAt = useConnectionLostAt()
  return (
    <div role="alert" className="lost-banner">
      {lostAt !== null && (
        <Note tone="bad">
          <p className="strong">No connection since {clock(new Date(lostAt).toISOString())}.</p>
          <p>
            What you see is from then, and nothing can be begun or ended. It is tried again all the time: is “pgrevive
            serve” running?
          </p>
        </Note>
      )}
    </div>
  )
}
