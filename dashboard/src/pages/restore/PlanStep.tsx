import { useQuery } from '@tanstack/react-query'
import { RotateCcw } from 'lucide-react'
import { useState } from 'react'
import type { RestorePlan } from '../../../../src/shapes/database.ts'
import type { Run, RunRequest } from '../../../../src/shapes/run.ts'
import { at, post } from '../../api/client.ts'
import { requestRun } from '../../api/runs.ts'
import { count, duration, plural, size } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { TextField } from '../../ui/Field.tsx'
import { ObjectiveMark, ProofMark } from '../../ui/Marks.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { Ago } from '../../ui/Time.tsx'
import { useAct } from '../../ui/use-act.ts'

type RestoreRequest = Extract<RunRequest, { command: 'restore' }>

/** What would be done, and what stands in its way; then the confirmation. `confirms` is the name to be typed, where something live is replaced. */
export function PlanStep({
  request,
  confirms,
  begun,
}: {
  request: RestoreRequest
  confirms: string | null
  begun: (run: Run) => void
}) {
  const [asked, setAsked] = useState<RestoreRequest | null>(null)
  const [typed, setTyped] = useState('')
  const isCurrent = asked !== null && JSON.stringify(asked) === JSON.stringify(request)
  const query = useQuery({
    queryKey: ['plan', asked],
    // The plan names the live database as the run will; only the run asks whether it was meant.
    queryFn: () =>
      post<RestorePlan>(at`restores/plan`, confirms === null ? request : { ...request, confirm: confirms }),
    enabled: isCurrent,
    staleTime: 30_000,
  })
  const started = useAct(() => requestRun(confirms === null ? request : { ...request, confirm: typed }), begun)

  if (!isCurrent) {
    return (
      <div className="stack">
        <p className="quiet">
          Everything that the restore needs is looked at first: the server, space, roles, extensions, sessions. Nothing
          is touched.
        </p>
        <div>
          <Button kind="primary" onClick={() => setAsked(request)}>
            Show the plan
          </Button>
        </div>
      </div>
    )
  }
  return (
    <>
      <Asked query={query} what="the plan: the server is being looked at">
        {(plan) => {
          const stops = plan.findings.some((finding) => finding.stops)
          return (
            <form className="form" onSubmit={started.submit} onChange={started.forget}>
              <dl className="facts">
                <div>
                  <dt>To</dt>
                  <dd className="break">{plan.target}</dd>
                </div>
                <div>
                  <dt>Brings back</dt>
                  <dd>
                    {size(plan.bytes)}
                    <small>
                      {count(plan.rows)} rows in {plural(plan.tables, 'table')}
                    </small>
                  </dd>
                </div>
                <div>
                  <dt>How we know</dt>
                  <dd className="with-mark">
                    <ProofMark outcome={plan.proof ? 'proven' : 'unproven'} />
                    {plan.proof ? (
                      <span>
                        <Ago at={plan.proof.at} />
                        <small>took {duration(plan.proof.tookMs)} then</small>
                      </span>
                    ) : (
                      <span>
                        not proven
                        <small>it is verified as it is restored</small>
                      </span>
                    )}
                  </dd>
                </div>
              </dl>
              <ol className="plan-steps">
                {plan.steps.map((step) => (
                  <li key={step}>{step}</li>
                ))}
              </ol>
              {plan.findings.map((finding) => (
                <Note key={finding.problem} tone={finding.stops ? 'bad' : 'risk'}>
                  <p className="strong">{finding.problem}</p>
                  {finding.remedy !== null && <p className="hint">{finding.remedy}</p>}
                </Note>
              ))}
              {stops && request.way === 'new' && (
                <p>Another name for the new database, above, makes another plan. What is there is not touched.</p>
              )}
              {plan.findings.length === 0 && (
                <p className="with-mark">
                  <ObjectiveMark state="ok" /> Nothing stands in its way.
                </p>
              )}
              {confirms !== null && !stops && (
                <div className="narrow">
                  <TextField
                    label={`Type ${confirms} to confirm`}
                    value={typed}
                    onChange={(event) => setTyped(event.target.value)}
                    hint="Its contents are replaced."
                  />
                </div>
              )}
              {started.error && <Problem error={started.error} />}
              <div className="form-foot start">
                <Button
                  kind={confirms === null ? 'primary' : 'danger'}
                  type="submit"
                  icon={<RotateCcw />}
                  disabled={started.busy || stops || (confirms !== null && typed !== confirms)}
                >
                  Restore
                </Button>
                <Button onClick={() => void query.refetch()}>Look again</Button>
              </div>
            </form>
          )
        }}
      </Asked>
      <Elsewhere request={request} open={query.isError} />
    </>
  )
}

/** The same on another server: only the command line can be told how to reach one. */
function Elsewhere({ request, open }: { request: RestoreRequest; open: boolean }) {
  if (request.backup === undefined) return null
  const tables = (request.tables ?? []).map(({ schema, name }) => ` --table '"${schema}"."${name}"'`).join('')
  const into = request.intoSchema === undefined ? '' : ` --into-schema '"${request.intoSchema}"'`
  const command = `pgrevive restore ${request.backup}${tables}${into} --to postgres://USER@OTHER-SERVER/${encodeURIComponent(request.to)}`
  return (
    <details open={open}>
      <summary>To another server</summary>
      <div className="stack tight">
        <p className="quiet">
          If this server is lost, restore to another one: with a terminal on the machine of the service, where USER may
          make databases. Whatever else is needed is told before anything is touched.
        </p>
        <Copyable text={command} what="the command" />
      </div>
    </details>
  )
}
