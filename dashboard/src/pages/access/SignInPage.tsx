import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Button } from '../../ui/Button.tsx'
import { TextField } from '../../ui/Field.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Door } from './Door.tsx'
import { signInProblem } from './sign-in-problem.ts'

export function SignInPage() {
  const me = useQuery(queries.me)
  const client = useQueryClient()
  const [asksCode, setAsksCode] = useState(false)
  const [search] = useSearchParams()
  const failed = search.get('error')
  const enter = () => void client.invalidateQueries({ queryKey: queries.me.queryKey })

  if (me.data?.setup) {
    return (
      <Door title="Almost there" about="Nobody has an account on this service yet.">
        <Note tone="busy">
          <p className="strong">Open the one-time link that “pgrevive serve” printed when it started.</p>
          <p className="hint">
            It makes the first account. Has it scrolled away? Start the service again, and it prints a new one.
          </p>
        </Note>
      </Door>
    )
  }
  if (asksCode) {
    return (
      <Door title="One more step" about="Your account asks for a second factor.">
        <CodeForm enter={enter} />
      </Door>
    )
  }
  return (
    <Door title="Sign in" about="To see what could be restored right now.">
      {failed !== null && (
        <Note tone="bad">
          <p className="strong">{signInProblem(failed)}</p>
        </Note>
      )}
      <PasswordForm enter={enter} askCode={() => setAsksCode(true)} />
      {me.data && me.data.sso.length > 0 && (
        <>
          <div className="or">or</div>
          <div className="stack tight">
            {me.data.sso.map((provider) => (
              <Button key={provider.id} onClick={() => void toProvider(provider.id)}>
                Sign in with {provider.name}
              </Button>
            ))}
          </div>
        </>
      )}
    </Door>
  )
}

function PasswordForm({ enter, askCode }: { enter: () => void; askCode: () => void }) {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const signIn = useAct(
    () => post<{ twoFactorRedirect?: boolean }>('/api/auth/sign-in/email', { email, password }),
    (answer) => (answer?.twoFactorRedirect ? askCode() : enter()),
  )
  return (
    <form className="form" onSubmit={signIn.submit} onChange={signIn.forget}>
      <TextField
        label="E-mail"
        type="email"
        autoComplete="username"
        required
        autoFocus
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <TextField
        label="Password"
        type="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      {signIn.error && <Problem error={signIn.error} />}
      <Button kind="primary" type="submit" disabled={signIn.busy}>
        Sign in
      </Button>
      <p className="small quiet">Password lost? An administrator can give you a link that sets a new one.</p>
    </form>
  )
}

function CodeForm({ enter }: { enter: () => void }) {
  const [code, setCode] = useState('')
  const isSpare = code.replaceAll(/\s/g, '').length > 6
  const verify = useAct(
    () =>
      post(isSpare ? '/api/auth/two-factor/verify-backup-code' : '/api/auth/two-factor/verify-totp', {
        code: isSpare ? code.trim() : code.replaceAll(/\s/g, ''),
      }),
    enter,
  )
  return (
    <form className="form" onSubmit={verify.submit} onChange={verify.forget}>
      <TextField
        label="Code"
        inputMode="numeric"
        autoComplete="one-time-code"
        required
        autoFocus
        className="mono"
        value={code}
        onChange={(event) => setCode(event.target.value)}
        hint="Six digits from your authenticator, or one of the spare codes."
      />
      {verify.error && <Problem error={verify.error} />}
      <Button kind="primary" type="submit" disabled={verify.busy}>
        Go on
      </Button>
    </form>
  )
}

async function toProvider(provider: string): Promise<void> {
  try {
    const { url } = await post<{ url: string }>('/api/auth/sign-in/social', { provider })
    window.location.assign(url)
  } catch (error) {
    tell(error as Error)
  }
}
