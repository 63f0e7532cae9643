import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { post } from '../../api/client.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { useTheme, type Theme } from '../../app/theme.ts'
import { Button } from '../../ui/Button.tsx'
import { Choices } from '../../ui/Choices.tsx'
import { TextField } from '../../ui/Field.tsx'
import { Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'
import { PasswordField } from './PasswordFields.tsx'
import { SecondFactor } from './SecondFactor.tsx'

export function AccountPage() {
  const { user } = useSession()
  const [theme, setTheme] = useTheme()
  return (
    <Page
      title={user.name}
      about={`${user.email} · ${user.role}${user.viaSso ? ' · signs in through single sign-on' : ''}`}
    >
      <div className="columns">
        {!user.viaSso && <SecondFactor />}
        {!user.viaSso && <Password />}
        <section className="card pad stack">
          <h2>Appearance</h2>
          <Choices<Theme>
            label="Theme"
            value={theme}
            onChange={setTheme}
            options={[
              { value: 'system', label: 'As the system' },
              { value: 'light', label: 'Light' },
              { value: 'dark', label: 'Dark' },
            ]}
          />
        </section>
      </div>
    </Page>
  )
}

function Password() {
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const client = useQueryClient()
  const changed = useAct(
    () => post('/api/auth/change-password', { currentPassword: current, newPassword: next }),
    () => {
      setCurrent('')
      setNext('')
      tell('The password is changed. All other sessions were ended.')
      void client.invalidateQueries()
    },
  )
  return (
    <section className="card pad">
      <form className="form" onSubmit={changed.submit} onChange={changed.forget}>
        <h2>Password</h2>
        <TextField
          label="The one you have"
          type="password"
          autoComplete="current-password"
          required
          value={current}
          onChange={(event) => setCurrent(event.target.value)}
        />
        <PasswordField label="A new one" value={next} onChange={setNext} />
        {changed.error && <Problem error={changed.error} />}
        <div>
          <Button type="submit" disabled={changed.busy}>
            Change it
          </Button>
        </div>
      </form>
    </section>
  )
}
