import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import type { User } from '../../../../src/shapes/access.ts'
import { at, post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Button } from '../../ui/Button.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Door } from './Door.tsx'
import { useLinkToken } from './link-token.ts'
import { PasswordField } from './PasswordFields.tsx'

/** Sets the password of an account that somebody was invited to, or who lost theirs. */
export function InvitePage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const token = useLinkToken()
  const [password, setPassword] = useState('')
  const set = useAct(
    async () => {
      const { email } = await post<User>(at`invitation`, { token, password })
      await post('/api/auth/sign-in/email', { email, password })
    },
    () => void client.invalidateQueries({ queryKey: queries.me.queryKey }).then(() => navigate('/', { replace: true })),
  )
  return (
    <Door title="Choose a password" about="You were invited to this service. The link is good for one password.">
      {token === '' ? (
        <Note tone="risk">
          <p className="strong">This address lacks the token of the invitation.</p>
          <p className="hint">Open the link as you got it, whole, or ask for a new one.</p>
        </Note>
      ) : (
        <form className="form" onSubmit={set.submit} onChange={set.forget}>
          <PasswordField label="Password" value={password} onChange={setPassword} />
          {set.error && <Problem error={set.error} />}
          <Button kind="primary" type="submit" disabled={set.busy}>
            Set it and go on
          </Button>
        </form>
      )}
    </Door>
  )
}
