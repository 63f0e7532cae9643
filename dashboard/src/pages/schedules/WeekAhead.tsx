import type { Schedule } from '../../../../src/shapes/schedule.ts'
import { ticks } from '../../charts/timeline-view.ts'
import { useWidth } from '../../charts/use-width.ts'
import { short } from '../../text/format.ts'
import { useNow } from '../../ui/now.ts'

const line = 26
const week = 7 * 86_400_000

const lastOf = (schedule: Schedule) => Date.parse(schedule.next.at(-1) ?? '')

/** A row a schedule, a mark a time, for the seven days to come: what meets, and when nothing happens. */
export function WeekAhead({ schedules }: { schedules: Schedule[] }) {
  const now = useNow()
  const [frame, width] = useWidth()
  const names = width < 560 ? 84 : 120
  const most = Math.floor(names / 7.2)
  const x = (time: number) => names + ((time - now) / week) * (width - names - 10)
  const active = schedules.filter((schedule) => schedule.next.length > 0)
  const height = active.length * line + 26
  if (active.length === 0) return null
  return (
    <figure className="card pad week-ahead">
      <figcaption className="hidden-text">The next seven days</figcaption>
      <div ref={frame}>
        <svg width={width} height={height} role="img" aria-label={`The next seven days of ${active.length} schedules`}>
          {ticks({ from: now, to: now + week }, Math.min(8, (width - names) / 52)).map((tick) => (
            <g key={tick.at}>
              <path className="tick" d={`M${x(tick.at)} 4V${height - 24}`} />
              <text className="axis" x={Math.min(width - 22, x(tick.at))} y={height - 8} textAnchor="middle">
                {tick.text}
              </text>
            </g>
          ))}
          {active.map((schedule, index) => (
            <g key={schedule.name} transform={`translate(0 ${index * line})`}>
              <text x="0" y="18">
                {schedule.name.length > most ? `${schedule.name.slice(0, most - 1)}…` : schedule.name}
              </text>
              <path className="line" d={`M${names} 14H${Math.min(width - 10, x(lastOf(schedule)))}`} />
              {/* Ten times are known; what comes after them only goes on. */}
              <path className="line later" d={`M${Math.min(width - 10, x(lastOf(schedule)))} 14H${width - 10}`} />
              {schedule.next
                .filter((time) => Date.parse(time) < now + week)
                .map((time) => (
                  <rect
                    key={time}
                    className={`time ${schedule.entry.command}`}
                    x={x(Date.parse(time)) - 3}
                    y="7"
                    width="6"
                    height="14"
                    rx="2"
                  >
                    <title>{`${schedule.name}: ${short(time)}`}</title>
                  </rect>
                ))}
            </g>
          ))}
        </svg>
      </div>
    </figure>
  )
}
