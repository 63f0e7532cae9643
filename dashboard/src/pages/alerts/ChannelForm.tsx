import { useState } from 'react'
import type { Channel, Severity } from '../../../../src/shapes/alert.ts'
import { ApiError, at, get, put, putNew } from '../../api/client.ts'
import { Button } from '../../ui/Button.tsx'
import { Check, SelectField, TextField, wrongName } from '../../ui/Field.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'
import { localZone, ZoneField } from '../schedules/ZoneField.tsx'
import { channelEntry, channelFields } from './channel-kinds.ts'

const kinds: Record<Channel['kind'], string> = {
  email: 'E-mail',
  slack: 'Slack',
  discord: 'Discord',
  telegram: 'Telegram',
  webhook: 'Webhook, signed',
  ntfy: 'ntfy',
  pagerduty: 'PagerDuty',
}

export function ChannelForm({
  channel,
  taken,
  done,
}: {
  channel: Channel | null
  /** Names of all channels. */
  taken: string[]
  done: () => void
}) {
  const [name, setName] = useState(channel?.name ?? '')
  const [kind, setKind] = useState<Channel['kind']>(channel?.kind ?? 'email')
  const [values, setValues] = useState<Record<string, string>>({})
  const [least, setLeast] = useState<Severity>(channel?.least ?? 'warning')
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const [zone, setZone] = useState(localZone)
  const [exceptCritical, setExceptCritical] = useState(true)
  const isQuiet = from !== '' && to !== ''
  const isHalf = (from !== '' || to !== '') && !isQuiet
  const wrong =
    wrongName(name) || (channel === null && taken.includes(name) && 'There is a channel of this name already.')
  const saved = useAct(
    async () => {
      const { entry, secrets } = channelEntry(name, kind, values)
      // Before its secrets are: they have the channel's name, too.
      if (channel === null) await refuseTaken(name)
      for (const [file, value] of Object.entries(secrets)) await put(at`secrets/${file}`, { value })
      await (channel === null ? putNew : put)(at`channels/${name}`, {
        ...entry,
        least,
        ...(isQuiet && {
          quiet: { from, to, ...(zone && { time_zone: zone }), ...(exceptCritical && { except_critical: true }) },
        }),
      })
    },
    () => {
      tell(`The channel “${name}” is saved. Send a test to see whether it arrives.`)
      done()
    },
  )
  return (
    <form className="form" onSubmit={saved.submit} onChange={saved.forget}>
      {channel && <Note tone="busy">Fill in all of it anew: what is secret is never shown again.</Note>}
      <div className="form-row">
        <TextField
          label="Name"
          required
          readOnly={channel !== null}
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="ops"
          wrong={wrong}
        />
        <SelectField label="Kind" value={kind} onChange={(event) => setKind(event.target.value as Channel['kind'])}>
          {Object.entries(kinds).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </SelectField>
      </div>
      {channelFields[kind].map((field) => (
        <TextField
          key={`${kind} ${field.key}`}
          label={field.optional ? `${field.label} (optional)` : field.label}
          type={field.secret ? 'password' : (field.type ?? 'text')}
          required={!field.optional}
          autoComplete={field.secret ? 'new-password' : 'off'}
          value={values[field.key] ?? ''}
          onChange={(event) => setValues({ ...values, [field.key]: event.target.value })}
          hint={field.hint}
        />
      ))}
      <SelectField label="What is told" value={least} onChange={(event) => setLeast(event.target.value as Severity)}>
        <option value="info">everything</option>
        <option value="warning">warnings and critical alerts</option>
        <option value="critical">critical alerts alone</option>
      </SelectField>
      <div className="form-row">
        <TextField
          label="Quiet from (optional)"
          type="time"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
        <TextField
          label="until"
          type="time"
          value={to}
          onChange={(event) => setTo(event.target.value)}
          wrong={isHalf && 'Both, or neither.'}
          hint="What is still true then is told then."
        />
        {isQuiet && <ZoneField value={zone} onChange={setZone} />}
      </div>
      {isQuiet && (
        <Check checked={exceptCritical} onChange={(event) => setExceptCritical(event.target.checked)}>
          Critical alerts are told all the same
        </Check>
      )}
      {saved.error && <Problem error={saved.error} />}
      <div className="form-foot">
        <Button kind="primary" type="submit" disabled={saved.busy || isHalf || Boolean(wrong)}>
          Save
        </Button>
      </div>
    </form>
  )
}

async function refuseTaken(name: string): Promise<void> {
  const channels = await get<Channel[]>(at`channels`)
  if (!channels.some((one) => one.name === name)) return
  throw new ApiError(409, {
    code: 'request-conflict',
    message: `There is a channel “${name}” already, and nothing was written.`,
    hint: 'Give this one another name, or replace that one.',
  })
}
