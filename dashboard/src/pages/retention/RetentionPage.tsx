import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { CalendarRange } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { Link } from 'react-router'
import type { RetentionPolicy, RetentionPreview } from '../../../../src/shapes/repository.ts'
import { at, call, put } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { plural } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { SelectField, TextField } from '../../ui/Field.tsx'
import { Empty, Note } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { KeepCalendar } from './KeepCalendar.tsx'
import { countedFields, namesSomething, wrongIn } from './policy-fields.ts'

export function RetentionPage() {
  const query = useQuery(queries.retention)
  return (
    <Page
      title="Retention"
      about="How long backups stay. The calendar shows what a policy would keep and why; nothing is forgotten by looking."
    >
      <Asked query={query} what="the policy">
        {(policy) => <Editor key={JSON.stringify(policy)} saved={policy ?? {}} />}
      </Asked>
    </Page>
  )
}

function Editor({ saved }: { saved: RetentionPolicy }) {
  const { may } = useSession()
  const client = useQueryClient()
  const [policy, setPolicy] = useState<RetentionPolicy>(
    Object.keys(saved).length === 0 ? { keep_daily: 7, keep_weekly: 8, keep_monthly: 12 } : saved,
  )
  const [database, setDatabase] = useState('')
  const [saving, setSaving] = useState(false)
  const asked = useDeferredValue(policy)
  const wrong = wrongIn(policy)
  const keeps = namesSomething(policy)
  const preview = useQuery({
    queryKey: ['retention', 'preview', asked],
    queryFn: ({ signal }) => call<RetentionPreview>('POST', at`retention/preview`, { policy: asked }, { signal }),
    enabled: Object.keys(wrongIn(asked)).length === 0 && namesSomething(asked),
    placeholderData: keepPreviousData,
  })
  const isValid = keeps && Object.keys(wrong).length === 0
  // Of exactly this policy, and nothing older.
  const known = isValid && asked === policy && preview.isSuccess && !preview.isPlaceholderData ? preview.data : null
  const set = (key: keyof RetentionPolicy, text: string) =>
    setPolicy((old) => {
      const next: Record<string, unknown> = { ...old }
      if (text === '') delete next[key]
      else next[key] = key === 'keep_within' ? text : Number(text)
      return next as RetentionPolicy
    })
  const isChanged = JSON.stringify(policy) !== JSON.stringify(saved)
  return (
    <div className="stack">
      <section className="card pad stack" aria-label="Policy">
        <div className="form-row">
          {countedFields.map(([key, label]) => (
            <TextField
              key={key}
              label={label}
              type="number"
              min={0}
              max={10_000}
              value={policy[key] ?? ''}
              wrong={wrong[key]}
              onChange={(event) => set(key, event.target.value)}
              placeholder="0"
            />
          ))}
          <TextField
            label="All within"
            value={policy.keep_within ?? ''}
            onChange={(event) => set('keep_within', event.target.value)}
            placeholder="36h, 14d"
            wrong={wrong.keep_within}
          />
          <TextField
            label="Never fewer than"
            type="number"
            min={1}
            value={policy.minimum ?? ''}
            onChange={(event) => set('minimum', event.target.value)}
            placeholder="1"
            wrong={wrong.minimum}
          />
        </div>
        {!keeps && (
          <Note tone="risk">
            This names nothing to keep. Fill in how many to keep: of the newest, or one of each hour, day, week, month
            or year.
          </Note>
        )}
        {may('administer') && (
          <div className="row">
            <Button kind="primary" disabled={!isChanged || !known} onClick={() => setSaving(true)}>
              Save the policy…
            </Button>
            {isChanged && Object.keys(saved).length > 0 && <Button onClick={() => setPolicy(saved)}>As it was</Button>}
          </div>
        )}
        {Object.keys(saved).length === 0 && (
          <Note tone="busy">No policy is saved: everything is kept. This is one to begin with.</Note>
        )}
        <NoForget />
      </section>
      {isValid && (
        <Asked query={preview} what="what it would keep">
          {({ decisions }) => {
            if (decisions.length === 0) {
              return (
                <Empty icon={<CalendarRange aria-hidden="true" />} title="No backup to decide on yet">
                  With the first backups, this calendar shows which of them stay, and for what reason.
                </Empty>
              )
            }
            const names = [...new Set(decisions.map((decision) => decision.database))].toSorted()
            const shown = database === '' ? decisions : decisions.filter((decision) => decision.database === database)
            const forgotten = shown.filter((decision) => !decision.keep).length
            return (
              <section className="card pad stack" aria-label="Calendar">
                <div className="row spread">
                  <p className="answer-number">
                    <strong>{shown.length - forgotten}</strong> stay, <strong>{forgotten}</strong> go
                  </p>
                  {names.length > 1 && (
                    <SelectField label="Of" value={database} onChange={(event) => setDatabase(event.target.value)}>
                      <option value="">all databases</option>
                      {names.map((name) => (
                        <option key={name}>{name}</option>
                      ))}
                    </SelectField>
                  )}
                </div>
                <KeepCalendar decisions={shown} />
              </section>
            )
          }}
        </Asked>
      )}
      <Confirm
        open={saving && known !== null}
        onClose={() => setSaving(false)}
        title="Save this policy?"
        verb="Save"
        act={async () => {
          await put(at`retention`, policy)
          tell('The policy is saved. The next “forget” goes by it.')
          await client.invalidateQueries()
        }}
      >
        <p>
          Of the backups there are now, the next “forget” removes{' '}
          {plural(known?.decisions.filter((decision) => !decision.keep).length ?? 0, 'backup')}. Pinned ones always
          stay.
        </p>
      </Confirm>
    </div>
  )
}

/** A policy alone removes nothing: "forget" goes by it, and "prune" gives the space back. */
function NoForget() {
  const { data } = useQuery(queries.schedules)
  if (!data) return null
  const missing = (['forget', 'prune'] as const).filter(
    (command) => !data.some((one) => one.enabled && one.entry.command === command),
  )
  if (missing.length === 0) return null
  return (
    <Note tone="busy">
      {missing.includes('forget')
        ? 'No schedule runs “forget”: whatever the policy says, nothing is removed until somebody runs it.'
        : 'No schedule runs “prune”: what is forgotten goes on taking its space until somebody runs it.'}{' '}
      <Link to="/schedules">Schedule {missing.join(' and ')}</Link>
    </Note>
  )
}
