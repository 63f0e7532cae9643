import type { RetentionPreview } from '../../../../src/shapes/repository.ts'
import { exact } from '../../text/format.ts'

type Decision = RetentionPreview['decisions'][number]

const cell = 17
const gap = 3
const months = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric' })
const dayMs = 86_400_000

/** A square a day, a column a week, as on a wall calendar turned: full if something of the day stays, hollow if all of it goes. */
export function KeepCalendar({ decisions }: { decisions: Decision[] }) {
  const byDay = Map.groupBy(decisions, (decision) => localDay(decision.takenAt))
  const first = monday(Math.min(...byDay.keys()))
  const last = Math.max(...byDay.keys())
  const weeks = Math.floor((last - first) / 7) + 1
  const kept = decisions.filter((decision) => decision.keep).length
  return (
    <div>
      <div className="table-scroll" ref={toTheEnd} tabIndex={0} role="region" aria-label="Calendar of backups">
        <svg
          className="calendar"
          width={weeks * (cell + gap) + 34}
          height={7 * (cell + gap) + 22}
          role="img"
          aria-label={`${kept} of ${decisions.length} backups stay`}
        >
          {['Mon', 'Wed', 'Fri', 'Sun'].map((day, index) => (
            <text key={day} x="0" y={20 + index * 2 * (cell + gap) + 13}>
              {day}
            </text>
          ))}
          {Array.from({ length: weeks }, (_, week) => {
            const begin = new Date((first + week * 7) * dayMs)
            return begin.getUTCDate() <= 7 && (week === 0 || weeks - week > 1) ? (
              <text key={week} x={34 + week * (cell + gap)} y="11">
                {months.format(begin)}
              </text>
            ) : null
          })}
          {[...byDay].map(([day, ofDay]) => (
            <Day
              key={day}
              x={34 + Math.floor((day - first) / 7) * (cell + gap)}
              y={20 + ((day - first) % 7) * (cell + gap)}
              decisions={ofDay}
            />
          ))}
        </svg>
      </div>
      <p className="legend small quiet">
        <svg width="12" height="12" className="calendar" aria-hidden="true">
          <rect className="keep" width="12" height="12" rx="3" />
        </svg>
        stays
        <svg width="12" height="12" className="calendar" aria-hidden="true">
          <rect className="some" width="12" height="12" rx="3" />
        </svg>
        some of the day stay
        <svg width="12" height="12" className="calendar" aria-hidden="true">
          <rect className="go" x="0.7" y="0.7" width="10.6" height="10.6" rx="3" />
        </svg>
        goes
      </p>
    </div>
  )
}

function Day({ x, y, decisions }: { x: number; y: number; decisions: Decision[] }) {
  const kept = decisions.filter((decision) => decision.keep).length
  const kind = kept === 0 ? 'go' : kept === decisions.length ? 'keep' : 'some'
  const said = decisions
    .slice(0, 8)
    .map(
      (decision) =>
        `${exact(decision.takenAt)} ${decision.database}: ${decision.keep ? 'stays' : 'goes'}, ${decision.reasons.join(', ')}`,
    )
    .join('\n')
  return (
    <rect className={kind} x={x + 0.7} y={y + 0.7} width={cell - 1.4} height={cell - 1.4} rx="4">
      <title>{said + (decisions.length > 8 ? `\nand ${decisions.length - 8} more` : '')}</title>
    </rect>
  )
}

/** The newest are what people look at; older ones are to be scrolled to. */
function toTheEnd(element: HTMLDivElement | null): void {
  if (element) element.scrollLeft = element.scrollWidth
}

/** Days since 1970 on the calendar of whoever looks. */
function localDay(time: string): number {
  const at = new Date(time)
  return Math.floor((at.getTime() - at.getTimezoneOffset() * 60_000) / dayMs)
}

/** 1970-01-01 was a Thursday. */
const monday = (day: number) => day - ((day + 3) % 7)
