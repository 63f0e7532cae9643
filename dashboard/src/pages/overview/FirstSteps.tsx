import { Link } from 'react-router'
import type { Overview } from '../../../../src/shapes/service.ts'
import { ObjectiveMark } from '../../ui/Marks.tsx'

type Step = Overview['todo'][number]

const steps: { step: Step; to: string; text: string; why: string }[] = [
  {
    step: 'repository',
    to: '/add',
    text: 'Choose where backups lie',
    why: 'a directory, or a bucket that nobody else can write to',
  },
  {
    step: 'kit',
    to: '/repositories',
    text: 'Keep the recovery kit somewhere else',
    why: 'if this machine is lost, it is the only way to your backups',
  },
  { step: 'database', to: '/add', text: 'Add a database', why: 'its URL is all it takes' },
  {
    step: 'backup',
    to: '/add',
    text: 'Take the first backup',
    why: 'watch it: every later one stores only what changed',
  },
  { step: 'proof', to: '/add', text: 'Prove it', why: 'it is restored somewhere safe and compared, row by row' },
  {
    step: 'schedule',
    to: '/schedules',
    text: 'Schedule backups and drills',
    why: 'so that nobody has to remember them',
  },
  { step: 'channel', to: '/alerts', text: 'Say where alerts go', why: 'silence must never mean two different things' },
]

/** What a new installation lacks, in the order to do it; nothing once it is all done. */
export function FirstSteps({ todo }: { todo: Step[] }) {
  if (todo.length === 0) return null
  return (
    <section className="section card pad" aria-label="First steps">
      <div className="section-head">
        <h2>First steps</h2>
        <span className="row small quiet">
          <span className="proof-row" aria-hidden="true">
            {steps.map(({ step }) => (
              <ObjectiveMark key={step} state={todo.includes(step) ? 'unknown' : 'ok'} />
            ))}
          </span>
          {steps.length - todo.length} of {steps.length} done
        </span>
      </div>
      <ol className="first-steps">
        {steps
          .filter(({ step }) => todo.includes(step))
          .map(({ step, to, text, why }) => (
            <li key={step}>
              <ObjectiveMark state="unknown" />
              <span>
                <Link to={to} className="strong">
                  {text}
                </Link>
                <span className="small quiet block">{why}</span>
              </span>
            </li>
          ))}
      </ol>
    </section>
  )
}
