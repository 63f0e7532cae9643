import { useQueryClient } from '@tanstack/react-query'
import encodeQR from 'qr'
import { useMemo, useState } from 'react'
import { post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { useSession } from '../../app/session.ts'
import { Button } from '../../ui/Button.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { TextField } from '../../ui/Field.tsx'
import { StateBadge } from '../../ui/Marks.tsx'
import { Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'

interface Enrolment {
  totpURI: string
  backupCodes: string[]
}

/** Codes of an authenticator, asked for at each sign-in. */
export function SecondFactor() {
  const { user } = useSession()
  const client = useQueryClient()
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null)
  const again = () => void client.invalidateQueries({ queryKey: queries.me.queryKey })
  return (
    <section className="card pad stack">
      <div className="row spread">
        <h2>Second factor</h2>
        {user.totp ? <StateBadge state="ok" /> : <span className="chip">off</span>}
      </div>
      {enrolment ? (
        <Enrol
          enrolment={enrolment}
          done={() => {
            setEnrolment(null)
            tell('From now on signing in asks for a code.')
            again()
          }}
        />
      ) : user.totp ? (
        <AskPassword
          about="Signing in asks for a code of your authenticator."
          verb="Turn it off"
          work={(password) => post('/api/auth/two-factor/disable', { password })}
          then={() => {
            tell('The second factor is off.')
            again()
          }}
        />
      ) : (
        <AskPassword
          about="A code of an authenticator app at each sign-in: whoever learns your password can still not restore or remove anything."
          verb="Turn it on"
          work={(password) => post<Enrolment>('/api/auth/two-factor/enable', { password })}
          then={setEnrolment}
        />
      )}
    </section>
  )
}

function AskPassword<Answer>({
  about,
  verb,
  work,
  then,
}: {
  about: string
  verb: string
  work: (password: string) => Promise<Answer>
  then: (answer: Answer) => void
}) {
  const [password, setPassword] = useState('')
  const asked = useAct(() => work(password), then)
  return (
    <form className="form" onSubmit={asked.submit} onChange={asked.forget}>
      <p className="quiet">{about}</p>
      <TextField
        label="Your password"
        type="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      {asked.error && <Problem error={asked.error} />}
      <div>
        <Button type="submit" disabled={asked.busy}>
          {verb}
        </Button>
      </div>
    </form>
  )
}

function Enrol({ enrolment, done }: { enrolment: Enrolment; done: () => void }) {
  const [code, setCode] = useState('')
  const verified = useAct(() => post('/api/auth/two-factor/verify-totp', { code: code.replaceAll(/\s/g, '') }), done)
  const secret = new URL(enrolment.totpURI).searchParams.get('secret') ?? ''
  return (
    <form className="form" onSubmit={verified.submit} onChange={verified.forget}>
      <p className="quiet">1. Scan this with your authenticator, or type the secret into it.</p>
      <Qr text={enrolment.totpURI} />
      <Copyable text={secret} what="the secret" />
      <p className="quiet">2. Keep these spare codes where you keep passwords; each is good once.</p>
      <Copyable text={enrolment.backupCodes.join('  ')} what="the spare codes" />
      <TextField
        label="3. The code that it shows now"
        inputMode="numeric"
        autoComplete="one-time-code"
        required
        value={code}
        onChange={(event) => setCode(event.target.value)}
      />
      {verified.error && <Problem error={verified.error} />}
      <div>
        <Button kind="primary" type="submit" disabled={verified.busy}>
          Turn it on
        </Button>
      </div>
    </form>
  )
}

/** Drawn here: the secret goes nowhere. */
function Qr({ text }: { text: string }) {
  const modules = useMemo(() => encodeQR(text, 'raw', { border: 2 }), [text])
  const path = modules.map((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')).join('')).join('')
  return (
    <svg
      className="qr"
      viewBox={`0 0 ${modules.length} ${modules.length}`}
      role="img"
      aria-label="QR code of the secret below"
    >
      <rect className="ground" width="100%" height="100%" />
      <path d={path} shapeRendering="crispEdges" />
    </svg>
  )
}
