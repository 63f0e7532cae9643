import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import type { ScheduleEntry, SchedulePreview } from '../../../../src/shapes/schedule.ts'
import { at, call, put, putNew } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Button } from '../../ui/Button.tsx'
import { Check, SelectField, TextField, wrongName } from '../../ui/Field.tsx'
import { Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Matches } from './Matches.tsx'
import { NextTimes } from './NextTimes.tsx'
import { localZone, ZoneField } from './ZoneField.tsx'

const commands: Record<ScheduleEntry['command'], string> = {
  backup: 'backup: take backups',
  prove: 'prove: restore the newest ones and compare (a drill)',
  forget: 'forget: what the retention does not keep',
  prune: 'prune: free what no backup needs',
  sync: 'sync: give each repository what it lacks',
  check: 'check: read repositories for damage',
  refresh: 'refresh: restore into a staging database',
}
const examples = ['daily at 02:00', 'weekly on sunday at 05:00', 'every 6 hours', '0 4 * * 1-5']
const list = (text: string) => text.split(/[,\s]+/).filter(Boolean)
const given = <Value,>(value: Value | undefined | '') => value !== undefined && value !== ''

export function ScheduleForm({
  name: known,
  taken,
  entry,
  done,
}: {
  name: string
  /** Names of all schedules. */
  taken: string[]
  entry: ScheduleEntry | null
  done: () => void
}) {
  const [name, setName] = useState(known)
  const [command, setCommand] = useState<ScheduleEntry['command']>(entry?.command ?? 'backup')
  const [when, setWhen] = useState(entry?.when ?? 'daily at 02:00')
  const [zone, setZone] = useState(entry ? (entry.time_zone ?? '') : localZone)
  const [jitter, setJitter] = useState(entry?.jitter ?? '')
  const [databases, setDatabases] = useState(entry?.databases?.join(', ') ?? '')
  const [repositories, setRepositories] = useState(entry?.repositories?.join(', ') ?? '')
  const [from, setFrom] = useState(entry?.from ?? '')
  const [to, setTo] = useState(entry?.to ?? '')
  const [level, setLevel] = useState<NonNullable<ScheduleEntry['level']>>(entry?.level ?? 'bits')
  const [budget, setBudget] = useState(entry?.budget ?? '')
  const [refresh, setRefresh] = useState(entry?.refresh ?? '')
  const [enabled, setEnabled] = useState(entry?.enabled ?? true)
  const present = useQuery({
    ...queries.overview,
    select: (overview) => overview.databases.map((database) => database.name),
  })

  const ofDatabases = command === 'backup' || command === 'prove' || command === 'forget'
  const ofRepositories = command === 'check' || command === 'forget' || command === 'prune'
  const made: ScheduleEntry = {
    command,
    when,
    ...(given(zone) && { time_zone: zone }),
    ...(given(jitter) && { jitter }),
    ...(ofDatabases && list(databases).length > 0 && { databases: list(databases) }),
    ...(ofRepositories && list(repositories).length > 0 && { repositories: list(repositories) }),
    ...(command === 'sync' && given(from) && { from }),
    ...(command === 'sync' && given(to) && { to }),
    ...(command === 'check' && { level }),
    ...(command === 'check' && given(budget) && { budget }),
    ...(command === 'refresh' && given(refresh) && { refresh }),
    ...(!enabled && { enabled: false }),
  }
  const preview = usePreview({
    when,
    command,
    ...(made.time_zone && { time_zone: made.time_zone }),
    ...(made.jitter && { jitter: made.jitter }),
    ...(made.databases && { databases: made.databases }),
  })
  const wrongAt = placed(preview.data?.problem ?? null)
  const wrong =
    wrongName(name) || (entry === null && taken.includes(name) && 'There is a schedule of this name already.')
  const saved = useAct(
    () => (entry === null ? putNew : put)(at`schedules/${name}`, made),
    () => {
      tell(`The schedule “${name}” is saved.`)
      done()
    },
  )
  return (
    <form className="schedule-form" onSubmit={saved.submit} onChange={saved.forget}>
      <div className="form">
        <TextField
          label="Name"
          required
          maxLength={200}
          readOnly={entry !== null}
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="nightly"
          wrong={wrong}
        />
        <SelectField
          label="What"
          value={command}
          onChange={(event) => setCommand(event.target.value as ScheduleEntry['command'])}
        >
          {Object.entries(commands).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </SelectField>
        <TextField
          label="When"
          required
          value={when}
          onChange={(event) => setWhen(event.target.value)}
          wrong={wrongAt.when}
          hint={
            <span className="row">
              {examples.map((example) => (
                <button key={example} type="button" className="chip example" onClick={() => setWhen(example)}>
                  {example}
                </button>
              ))}
            </span>
          }
        />
        <div className="form-row">
          <ZoneField value={zone} onChange={setZone} wrong={wrongAt.zone} />
          <TextField
            label="Up to so much later"
            value={jitter}
            onChange={(event) => setJitter(event.target.value)}
            placeholder="0"
            wrong={wrongAt.jitter}
            hint="10m: so that not all begin at once"
          />
        </div>
        {ofDatabases && (
          <TextField
            label="Databases"
            value={databases}
            onChange={(event) => setDatabases(event.target.value)}
            placeholder="all"
            hint={`Names, or patterns such as app_*. ${present.data ? `There are: ${present.data.slice(0, 6).join(', ')}${present.data.length > 6 ? '…' : ''}` : ''}`}
          />
        )}
        {ofRepositories && (
          <TextField
            label="Repositories"
            value={repositories}
            onChange={(event) => setRepositories(event.target.value)}
            placeholder="all"
          />
        )}
        {command === 'sync' && (
          <div className="form-row">
            <TextField label="From" value={from} onChange={(event) => setFrom(event.target.value)} placeholder="any" />
            <TextField label="To" value={to} onChange={(event) => setTo(event.target.value)} placeholder="all" />
          </div>
        )}
        {command === 'check' && (
          <div className="form-row">
            <SelectField label="Level" value={level} onChange={(event) => setLevel(event.target.value as typeof level)}>
              <option value="list">list: what is there</option>
              <option value="structure">structure: what refers to what</option>
              <option value="bits">bits: every byte</option>
              <option value="content">content: opened and hashed</option>
            </SelectField>
            <TextField
              label="At most, each time"
              value={budget}
              onChange={(event) => setBudget(event.target.value)}
              placeholder="no limit"
              hint="10GB: what was read longest ago comes first"
            />
          </div>
        )}
        {command === 'refresh' && (
          <TextField
            label="Refresh"
            required
            value={refresh}
            onChange={(event) => setRefresh(event.target.value)}
            placeholder="staging"
            hint="A name below “refreshes:” in pgrevive.yaml."
          />
        )}
        <Check checked={enabled} onChange={(event) => setEnabled(event.target.checked)}>
          It is on
        </Check>
      </div>
      <aside className="stack tight schedule-preview">
        <h3>Then it runs</h3>
        <p className="quiet">
          {preview.data?.meaning ?? (preview.data?.problem ? 'never, as it is written' : 'as soon as it is understood')}
        </p>
        {preview.error ? <Problem error={preview.error} /> : <NextTimes times={preview.data?.next ?? []} />}
        {preview.data?.matches && <Matches names={preview.data.matches} />}
      </aside>
      <div className="stack tight whole-row">
        {saved.error && <Problem error={saved.error} />}
        <div className="form-foot">
          <Button
            kind="primary"
            type="submit"
            disabled={saved.busy || Boolean(wrong) || Boolean(preview.data?.problem) || preview.isError}
          >
            Save
          </Button>
        </div>
      </div>
    </form>
  )
}

/** Which field it is about, as its words tell. */
export function placed(problem: string | null): { when?: string; zone?: string; jitter?: string } {
  if (problem === null) return {}
  if (/time.?zone/i.test(problem)) return { zone: problem }
  return /jitter/i.test(problem) ? { jitter: problem } : { when: problem }
}

/** What the service makes of it, while it is being typed. */
export function usePreview(entry: PreviewedEntry) {
  const asked = useDeferredValue(JSON.stringify(entry))
  return useQuery({
    queryKey: ['schedules', 'preview', asked],
    queryFn: ({ signal }) =>
      call<SchedulePreview>('POST', at`schedules/preview`, JSON.parse(asked) as PreviewedEntry, { signal }),
    enabled: entry.when.trim() !== '',
    placeholderData: keepPreviousData,
  })
}

type PreviewedEntry = Pick<ScheduleEntry, 'when'> &
  Partial<Pick<ScheduleEntry, 'time_zone' | 'jitter' | 'command' | 'databases'>>
