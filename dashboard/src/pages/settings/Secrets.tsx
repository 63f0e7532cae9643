import { useQuery, useQueryClient } from '@tanstack/react-query'
import { KeyRound } from 'lucide-react'
import { useState } from 'react'
import { at, put, remove } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { TextField, wrongName } from '../../ui/Field.tsx'
import { Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'

/** Secrets go in, and never come out again: their names are all that is shown. */
export function Secrets() {
  const client = useQueryClient()
  const query = useQuery(queries.secrets)
  const [name, setName] = useState('')
  const [value, setValue] = useState('')
  const [removing, setRemoving] = useState<string | null>(null)
  const again = () => client.invalidateQueries({ queryKey: queries.secrets.queryKey })
  const saved = useAct(
    () => put(at`secrets/${name}`, { value }),
    () => {
      tell(`The secret “${name}” is kept. Name it in the settings as pgrevive.secrets/${name}.`)
      setName('')
      setValue('')
      void again()
    },
  )
  return (
    <section className="section" aria-label="Secrets">
      <div className="section-head">
        <h2>Secrets</h2>
      </div>
      <div className="columns">
        <form className="card pad form" onSubmit={saved.submit} onChange={saved.forget}>
          <p className="quiet">
            Passwords and tokens that the settings name, such as <code>password_file: pgrevive.secrets/shop</code>. What
            is entered here is never given out again.
          </p>
          <div className="form-row">
            <TextField
              label="Name"
              required
              wrong={wrongName(name)}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
            <TextField
              label="Value"
              type="password"
              autoComplete="new-password"
              required
              value={value}
              onChange={(event) => setValue(event.target.value)}
            />
          </div>
          {saved.error && <Problem error={saved.error} />}
          <div>
            <Button type="submit" disabled={saved.busy || Boolean(wrongName(name))}>
              Keep it
            </Button>
          </div>
        </form>
        <div className="card pad">
          <Asked query={query} what="the secrets' names">
            {({ names }) =>
              names.length === 0 ? (
                <p className="quiet">None yet.</p>
              ) : (
                <ul className="stack tight">
                  {names.map((one) => (
                    <li key={one} className="row spread">
                      <span className="row">
                        <KeyRound size={15} aria-hidden="true" />
                        <code>{one}</code>
                      </span>
                      <Button slim onClick={() => setRemoving(one)}>
                        Remove
                      </Button>
                    </li>
                  ))}
                </ul>
              )
            }
          </Asked>
        </div>
      </div>
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Remove the secret “${removing ?? ''}”?`}
        verb="Remove"
        act={async () => {
          if (removing !== null) await remove(at`secrets/${removing}`)
          await again()
        }}
      >
        <p>Whatever the settings name it for can't sign in any more.</p>
      </Confirm>
    </section>
  )
}
