import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { CalendarRange } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import type { RetentionPolicy, RetentionPreview } from '../../../../src/shapes/repository.ts'
import { at, post, put } from '../../api/client.ts'
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

type Counted = 'keep_last' | 'keep_hourly' | 'keep_daily' | 'keep_weekly' | 'keep_monthly' | 'keep_yearly'
const fields: [Counted, string][] = [
  ['keep_last', 'Newest'],
  ['keep_hourly', 'Hourly'],
  ['keep_daily', 'Daily'],
  ['keep_weekly', 'Weekly'],
  ['keep_monthly', 'Monthly'],
  ['keep_yearly', 'Yearly'],
]

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
  const isEmpty = Object.keys(policy).length === 0
  const preview = useQuery({
    queryKey: ['retention', 'preview', asked],
    queryFn: () => post<RetentionPreview>(at`retention/preview`, { policy: asked }),
    enabled: !isEmpty,
    placeholderData: keepPreviousData,
  })
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
          {fields.map(([key, label]) => (
            <TextField
              key={key}
              label={label}
              type="number"
              min={0}
              max={10_000}
              value={policy[key] ?? ''}
              onChange={(event) => set(key, event.target.value)}
              placeholder="0"
            />
          ))}
          <TextField
            label="All within"
            value={policy.keep_within ?? ''}
            onChange={(event) => set('keep_within', event.target.value)}
            placeholder="36h, 14d"
          />
          <TextField
            label="Never fewer than"
            type="number"
            min={1}
            value={policy.minimum ?? ''}
            onChange={(event) => set('minimum', event.target.value)}
            placeholder="1"
          />
        </div>
        {may('administer') && (
          <div className="row">
            <Button kind="primary" disabled={!isChanged || isEmpty} onClick={() => setSaving(true)}>
              Save the policy…
            </Button>
            {isChanged && Object.keys(saved).length > 0 && <Button onClick={() => setPolicy(saved)}>As it was</Button>}
          </div>
        )}
        {Object.keys(saved).length === 0 && (
          <Note tone="busy">No policy is saved: everything is kept. This is one to begin with.</Note>
        )}
      </section>
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
      <Confirm
        open={saving}
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
          {plural(preview.data?.decisions.filter((decision) => !decision.keep).length ?? 0, 'backup')}. Pinned ones
          always stay.
        </p>
      </Confirm>
    </div>
  )
}
