import { useQuery, useQueryClient } from '@tanstack/react-query'
import { CalendarClock, Pencil, Play, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import type { Schedule } from '../../../../src/shapes/schedule.ts'
import { at, remove } from '../../api/client.ts'
import { startSchedule } from '../../api/runs.ts'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { RunMark } from '../../ui/Marks.tsx'
import { Empty } from '../../ui/Note.tsx'
import { Ago, When } from '../../ui/Time.tsx'
import { Matches } from './Matches.tsx'
import { NextTimes } from './NextTimes.tsx'
import { ScheduleForm } from './ScheduleForm.tsx'
import { WeekAhead } from './WeekAhead.tsx'

type Editing = { name: string; schedule: Schedule | null } | null

export function SchedulesPage() {
  const { may } = useSession()
  const client = useQueryClient()
  const navigate = useNavigate()
  const query = useQuery(queries.schedules)
  const [editing, setEditing] = useState<Editing>(null)
  const [removing, setRemoving] = useState<string | null>(null)
  const again = () => client.invalidateQueries({ queryKey: queries.schedules.queryKey })
  const add = may('administer') && (
    <Button kind="primary" icon={<Plus />} onClick={() => setEditing({ name: '', schedule: null })}>
      New schedule
    </Button>
  )
  return (
    <Page
      title="Schedules"
      about="What happens by itself. A time that was missed is caught up once; runs that would overlap wait."
      actions={add}
    >
      <Asked query={query} what="the schedules">
        {(schedules) =>
          schedules.length === 0 ? (
            <Empty icon={<CalendarClock aria-hidden="true" />} title="Nothing happens by itself yet" action={add}>
              Begin with two: a backup each night, and a drill each week that restores the newest backups and compares
              them.
            </Empty>
          ) : (
            <div className="stack">
              <WeekAhead schedules={schedules} />
              {schedules.map((schedule) => (
                <article key={schedule.name} className="card pad schedule">
                  <div>
                    <div className="row">
                      <h2>{schedule.name}</h2>
                      <span className="chip">{schedule.entry.command}</span>
                      {!schedule.enabled && <span className="chip">off</span>}
                    </div>
                    <p>{schedule.meaning}</p>
                    <p className="small quiet">{about(schedule)}</p>
                    {schedule.enabled && schedule.matches?.length === 0 && <Matches names={[]} />}
                    {schedule.lastRun && (
                      <p className="small quiet with-mark">
                        <RunMark state={schedule.lastRun.state as 'done'} />
                        <span>
                          <Link to={`/runs/${schedule.lastRun.id}`}>last run</Link> {schedule.lastRun.state}{' '}
                          <Ago at={schedule.lastRun.at} />
                        </span>
                      </p>
                    )}
                  </div>
                  <NextTimes times={schedule.next} />
                  {may('operate') && (
                    <div className="row">
                      {may(isPolicy(schedule) ? 'administer' : 'operate') && (
                        <Button
                          slim
                          icon={<Play />}
                          label={`Run ${schedule.name} now`}
                          onClick={() => void startSchedule(schedule.name, navigate)}
                        />
                      )}
                      {may('administer') && (
                        <>
                          <Button slim icon={<Pencil />} onClick={() => setEditing({ name: schedule.name, schedule })}>
                            Edit
                          </Button>
                          <Button
                            slim
                            icon={<Trash2 />}
                            label={`Remove ${schedule.name}`}
                            onClick={() => setRemoving(schedule.name)}
                          />
                        </>
                      )}
                    </div>
                  )}
                </article>
              ))}
              <p className="small quiet">
                {schedules.length > 0 && schedules[0]?.next[0] !== undefined && (
                  <>
                    Times are those of where you are. The next one: <When at={soonest(schedules)} />.
                  </>
                )}
              </p>
            </div>
          )
        }
      </Asked>
      <Dialog
        open={editing !== null}
        onClose={() => setEditing(null)}
        wide
        title={editing?.schedule ? `Schedule “${editing.name}”` : 'New schedule'}
      >
        {editing && (
          <ScheduleForm
            name={editing.name}
            taken={query.data?.map((schedule) => schedule.name) ?? []}
            entry={editing.schedule?.entry ?? null}
            done={() => {
              setEditing(null)
              void again()
            }}
          />
        )}
      </Dialog>
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Remove the schedule “${removing ?? ''}”?`}
        verb="Remove"
        act={async () => {
          if (removing !== null) await remove(at`schedules/${removing}`)
          await again()
        }}
      >
        <p>It does not run any more. What it did stays in the runs.</p>
      </Confirm>
    </Page>
  )
}

/** What removes something is for administrators. */
const isPolicy = ({ entry }: Schedule) => entry.command === 'forget' || entry.command === 'prune'

const soonest = (schedules: Schedule[]) =>
  schedules.flatMap((schedule) => schedule.next.slice(0, 1)).toSorted()[0] ?? ''

function about({ entry }: Schedule): string {
  return [
    entry.databases
      ? `databases: ${entry.databases.join(', ')}`
      : entry.command === 'backup' || entry.command === 'prove'
        ? 'all databases'
        : '',
    entry.repositories ? `repositories: ${entry.repositories.join(', ')}` : '',
    entry.from !== undefined || entry.to !== undefined ? `from ${entry.from ?? 'all'} to ${entry.to ?? 'all'}` : '',
    entry.level === undefined ? '' : `level ${entry.level}`,
    entry.budget === undefined ? '' : `at most ${entry.budget} a time`,
    entry.jitter === undefined ? '' : `up to ${entry.jitter} later`,
  ]
    .filter(Boolean)
    .join(' · ')
}
