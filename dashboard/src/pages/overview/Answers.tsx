import type { DatabaseSummary, ObjectiveState } from '../../../../src/shapes/database.ts'
import { Horizon } from '../../charts/Horizon.tsx'
import { StateGrid } from '../../charts/StateGrid.tsx'
import { count, plural, roughly } from '../../text/format.ts'
import { ObjectiveMark, objectiveWords, ProofMark } from '../../ui/Marks.tsx'
import { useNow } from '../../ui/now.ts'

const states: ObjectiveState[] = ['failing', 'at-risk', 'unknown', 'ok']

/** The three questions, each answered by a number and a picture. */
export function Answers({ databases }: { databases: DatabaseSummary[] }) {
  const now = useNow()
  const wanted = databases.filter((database) => !database.gone)
  const ages = wanted.flatMap(({ restorableTo }) =>
    restorableTo === null ? [] : [Math.max(0, now - Date.parse(restorableTo))],
  )
  const week = wanted.flatMap((database) => database.days.slice(-7))
  const proven = week.reduce((sum, day) => sum + day.proven, 0)
  const refuted = week.reduce((sum, day) => sum + day.refuted, 0)
  return (
    <div className="answers">
      <section className="card answer">
        <h2>Against their objectives</h2>
        <ul className="answer-states">
          {states.map((state) => {
            const number = wanted.filter((database) => database.state === state).length
            if (number === 0 && state !== 'ok') return null
            return (
              <li key={state}>
                <ObjectiveMark state={state} />
                <strong>{count(number)}</strong> {objectiveWords[state]}
              </li>
            )
          })}
        </ul>
        <StateGrid databases={wanted} />
      </section>
      <section className="card answer">
        <h2>Restorable to</h2>
        {ages.length === 0 ? (
          <p className="answer-number quiet">
            {wanted.some(({ lastProof }) => lastProof?.outcome === 'proven') ? 'nothing right now' : 'nothing yet'}
          </p>
        ) : (
          <p className="answer-number">
            <strong>{roughly(Math.max(...ages))}</strong> ago{ages.length > 1 && ', or later'}
          </p>
        )}
        <Horizon databases={wanted} />
      </section>
      <section className="card answer">
        <h2>How we know</h2>
        <p className="answer-number">
          <strong>{count(proven)}</strong> restored and found equal
        </p>
        <p className="quiet small">in the last 7 days{refuted > 0 ? `; ${plural(refuted, 'backup')} differed` : ''}</p>
        <ProofRow proven={proven} refuted={refuted} />
      </section>
    </div>
  )
}

/** A mark for each proof of the week, those that differed first. */
function ProofRow({ proven, refuted }: { proven: number; refuted: number }) {
  const most = 24
  const shown = [
    ...Array.from({ length: refuted }, () => 'refuted' as const),
    ...Array.from({ length: proven }, () => 'proven' as const),
  ]
  if (shown.length === 0)
    return <p className="small quiet">A drill restores the newest backups by itself: schedule one.</p>
  return (
    <div className="proof-row" aria-hidden="true">
      {shown.slice(0, most).map((outcome, index) => (
        <ProofMark key={index} outcome={outcome} />
      ))}
      {shown.length > most && <span className="small quiet">+{count(shown.length - most)}</span>}
    </div>
  )
}
