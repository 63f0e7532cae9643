import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { ScheduleEntry } from '../../../../src/shapes/schedule.ts'
import { at, putNew } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { SelectField, TextField } from '../../ui/Field.tsx'
import { Problem } from '../../ui/Note.tsx'
import { useAct } from '../../ui/use-act.ts'
import { NextTimes } from '../schedules/NextTimes.tsx'
import { usePreview } from '../schedules/ScheduleForm.tsx'
import { localZone, ZoneField } from '../schedules/ZoneField.tsx'

const drills = ['daily at', 'weekly on sunday at', 'monthly on 1 at'] as const

/** A backup each night and a drill each week, of all databases, so that nobody has to remember; skipped where both are there. */
export function ScheduleStep({ then }: { then: () => void }) {
  const query = useQuery(queries.schedules)
  return (
    <Asked query={query} what="the schedules">
      {(schedules) => {
        const has = (command: ScheduleEntry['command']) =>
          schedules.some((one) => one.enabled && one.entry.command === command)
        if (has('backup') && has('prove')) {
          return (
            <div className="stack">
              <h2>It is scheduled already</h2>
              <p className="quiet">
                {schedules
                  .filter((one) => one.entry.command === 'backup' || one.entry.command === 'prove')
                  .map((one) => `${one.name}: ${one.meaning}`)
                  .join(' · ')}
              </p>
              <div className="form-foot">
                <Button kind="primary" onClick={then}>
                  Go on
                </Button>
              </div>
            </div>
          )
        }
        const taken = new Set(schedules.map((one) => one.name))
        return <Make withBackup={!has('backup')} withDrill={!has('prove')} taken={taken} then={then} />
      }}
    </Asked>
  )
}

/** One that is off, or of another command, may have the name: it stays as it is. */
function freeName(wish: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wish : `${wish}-${number}`
    if (!taken.has(name)) return name
  }
}

function Make({
  withBackup,
  withDrill,
  taken,
  then,
}: {
  withBackup: boolean
  withDrill: boolean
  taken: ReadonlySet<string>
  then: () => void
}) {
  const [at_, setAt] = useState('02:00')
  const [zone, setZone] = useState(localZone)
  const [drill, setDrill] = useState<string>(drills[1])
  const when = `daily at ${at_}`
  const drillWhen = `${drill} 05:00`
  const nightly = usePreview({ when, time_zone: zone })
  const weekly = usePreview({ when: drillWhen, time_zone: zone })
  const problem = nightly.data?.problem ?? weekly.data?.problem ?? undefined
  const saved = useAct(async () => {
    if (withBackup)
      await putNew(at`schedules/${freeName('nightly', taken)}`, {
        command: 'backup',
        when,
        time_zone: zone,
      } satisfies ScheduleEntry)
    if (withDrill)
      await putNew(at`schedules/${freeName('drill', taken)}`, {
        command: 'prove',
        when: drillWhen,
        time_zone: zone,
      } satisfies ScheduleEntry)
  }, then)
  return (
    <form className="form" onSubmit={saved.submit} onChange={saved.forget}>
      <h2>So that nobody has to remember</h2>
      <div className="columns">
        {withBackup && (
          <div className="stack tight">
            <TextField
              label="Back up all databases each night at"
              type="time"
              required
              value={at_}
              onChange={(event) => setAt(event.target.value)}
            />
            <NextTimes times={nightly.data?.next.slice(0, 3) ?? []} />
          </div>
        )}
        {withDrill && (
          <div className="stack tight">
            <SelectField
              label="Drill: restore the newest ones and compare"
              value={drill}
              onChange={(event) => setDrill(event.target.value)}
            >
              <option value={drills[0]}>each day</option>
              <option value={drills[1]}>each Sunday</option>
              <option value={drills[2]}>on the first of each month</option>
            </SelectField>
            <NextTimes times={weekly.data?.next.slice(0, 3) ?? []} />
          </div>
        )}
        <ZoneField value={zone} onChange={setZone} wrong={problem} />
      </div>
      {saved.error && <Problem error={saved.error} />}
      <div className="form-foot">
        <Button onClick={then}>Not now</Button>
        <Button kind="primary" type="submit" disabled={saved.busy || problem !== undefined}>
          Save the schedule
        </Button>
      </div>
    </form>
  )
}
