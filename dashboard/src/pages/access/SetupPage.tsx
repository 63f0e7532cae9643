import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { at, post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Button } from '../../ui/Button.tsx'
import { TextField } from '../../ui/Field.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Door } from './Door.tsx'
import { useLinkToken } from './link-token.ts'
import { PasswordField } from './PasswordFields.tsx'

/** The first account, by the link that the service printed when it started. */
export function SetupPage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const token = useLinkToken()
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const made = useAct(
    async () => {
      await post(at`setup`, { token, name, email, password })
      await post('/api/auth/sign-in/email', { email, password })
    },
    () =>
      void client.invalidateQueries({ queryKey: queries.me.queryKey }).then(() => navigate('/add', { replace: true })),
  )
  return (
    <Door title="Welcome" about="Make the first account. It administers this service; it can invite others later.">
      {token === '' ? (
        <Note tone="risk">
          <p className="strong">This address lacks the token of the one-time link.</p>
          <p className="hint">Open the link that “pgrevive serve” printed when it started, whole.</p>
        </Note>
      ) : (
        <form className="form" onSubmit={made.submit} onChange={made.forget}>
          <TextField
            label="Your name"
            autoComplete="name"
            required
            maxLength={100}
            autoFocus
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <TextField
            label="E-mail"
            type="email"
            autoComplete="username"
            required
            maxLength={200}
            value={email}
            onChange={(event) => setEmail(event.target.value)}
            hint="You sign in with it. Nothing is sent to it."
          />
          <PasswordField label="Password" value={password} onChange={setPassword} />
          {made.error && <Problem error={made.error} />}
          <Button kind="primary" type="submit" disabled={made.busy}>
            Make the account
          </Button>
        </form>
      )}
    </Door>
  )
}
