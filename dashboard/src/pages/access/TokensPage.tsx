import { useQuery, useQueryClient } from '@tanstack/react-query'
import { KeyRound, Plus } from 'lucide-react'
import { useState } from 'react'
import type { Token } from '../../../../src/shapes/access.ts'
import type { Scope } from '../../../../src/shapes/common.ts'
import { at, post, remove } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { Check, SelectField, TextField } from '../../ui/Field.tsx'
import { Empty, Note, Problem } from '../../ui/Note.tsx'
import { Ago } from '../../ui/Time.tsx'
import { useAct } from '../../ui/use-act.ts'

const scopeWords: Record<Scope, string> = {
  read: 'see everything but rows and secrets',
  metrics: 'read /metrics, for Prometheus',
  operate: 'begin backups, proofs and checks; pin; cancel runs',
  restore: 'restore, also over live databases',
  rows: 'see rows inside backups',
  administer: 'change settings, users and tokens; forget and prune',
}

interface Issued {
  token: Token
  secret: string
}

export function TokensPage() {
  const query = useQuery(queries.tokens)
  const client = useQueryClient()
  const [making, setMaking] = useState(false)
  const [issued, setIssued] = useState<Issued | null>(null)
  const [revoking, setRevoking] = useState<Token | null>(null)
  const again = () => client.invalidateQueries({ queryKey: queries.tokens.queryKey })
  const make = (
    <Button kind="primary" icon={<Plus />} onClick={() => setMaking(true)}>
      New token
    </Button>
  )
  return (
    <Page
      title="Tokens"
      about="For programs: Prometheus, a pipeline, or pgrevive --server from elsewhere. Give each what it needs and no more."
      actions={make}
    >
      <Asked query={query} what="the tokens">
        {(tokens) =>
          tokens.length === 0 ? (
            <Empty icon={<KeyRound aria-hidden="true" />} title="No token yet" action={make}>
              A token lets a program use the API: in the header “Authorization: Bearer …”. It is shown once, when it is
              made.
            </Empty>
          ) : (
            <div className="card table-scroll" tabIndex={0} role="region" aria-label="Tokens">
              <table className="table">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>May</th>
                    <th>Made by</th>
                    <th>Last used</th>
                    <th>Expires</th>
                    <th>
                      <span className="hidden-text">Act</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {tokens.map((token) => (
                    <tr key={token.id}>
                      <td className="strong">{token.name}</td>
                      <td>
                        <span className="row">
                          {token.scopes.map((scope) => (
                            <span key={scope} className="chip" title={scopeWords[scope]}>
                              {scope}
                            </span>
                          ))}
                        </span>
                      </td>
                      <td>{token.by}</td>
                      <td>
                        {token.lastUsedAt === null ? (
                          <span className="quiet">never</span>
                        ) : (
                          <Ago at={token.lastUsedAt} />
                        )}
                      </td>
                      <td>
                        {token.expiresAt === null ? <span className="quiet">never</span> : <Ago at={token.expiresAt} />}
                      </td>
                      <td className="act">
                        <Button slim onClick={() => setRevoking(token)}>
                          Revoke
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Asked>
      <Dialog open={making} onClose={() => setMaking(false)} title="New token">
        <Make
          done={(made) => {
            setMaking(false)
            setIssued(made)
            void again()
          }}
        />
      </Dialog>
      <Dialog open={issued !== null} onClose={() => setIssued(null)} title={`The token “${issued?.token.name ?? ''}”`}>
        {issued && (
          <div className="stack">
            <Copyable text={issued.secret} what="the token" />
            <Note tone="risk">Shown this once. Keep it where the program reads it from, and nowhere else.</Note>
          </div>
        )}
      </Dialog>
      <Confirm
        open={revoking !== null}
        onClose={() => setRevoking(null)}
        title={`Revoke “${revoking?.name ?? ''}”?`}
        verb="Revoke"
        act={async () => {
          if (revoking) await remove(at`tokens/${revoking.id}`)
          await again()
        }}
      >
        <p>Whatever uses it is refused from now on.</p>
      </Confirm>
    </Page>
  )
}

function Make({ done }: { done: (issued: Issued) => void }) {
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<Scope[]>(['read'])
  const [days, setDays] = useState('365')
  const made = useAct(
    () => post<Issued>(at`tokens`, { name, scopes, ...(days === '' ? {} : { expiresInDays: Number(days) }) }),
    done,
  )
  return (
    <form className="form" onSubmit={made.submit} onChange={made.forget}>
      <TextField
        label="Name"
        required
        maxLength={100}
        value={name}
        onChange={(event) => setName(event.target.value)}
        hint="What will use it: “prometheus”, “deploy pipeline”."
      />
      <fieldset className="stack tight">
        <legend>What it may do</legend>
        {(Object.keys(scopeWords) as Scope[]).map((scope) => (
          <Check
            key={scope}
            checked={scopes.includes(scope)}
            onChange={(event) =>
              setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))
            }
          >
            <span className="strong">{scope}</span> <span className="quiet">{scopeWords[scope]}</span>
          </Check>
        ))}
      </fieldset>
      <SelectField label="Expires" value={days} onChange={(event) => setDays(event.target.value)}>
        <option value="30">in 30 days</option>
        <option value="90">in 90 days</option>
        <option value="365">in a year</option>
        <option value="">never</option>
      </SelectField>
      {made.error && <Problem error={made.error} />}
      <div className="form-foot">
        <Button kind="primary" type="submit" disabled={made.busy || scopes.length === 0}>
          Make it
        </Button>
      </div>
    </form>
  )
}
