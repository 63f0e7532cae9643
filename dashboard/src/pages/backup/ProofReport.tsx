import type { BackupDetail } from '../../../../src/shapes/database.ts'
import { duration, plural } from '../../text/format.ts'
import { ProofMark } from '../../ui/Marks.tsx'
import { Ago } from '../../ui/Time.tsx'

/** How we know. */
export function ProofReport({ backup }: { backup: BackupDetail }) {
  const { proof } = backup
  if (proof === null) {
    return (
      <section className="card pad proof-report">
        <ProofMark outcome="unproven" />
        <div>
          <h2>Not proven yet</h2>
          <p className="quiet">
            Nobody has restored it and compared. “Prove” does: somewhere safe, row by row, without touching anything
            live.
          </p>
        </div>
      </section>
    )
  }
  const equal = proof.outcome === 'proven'
  return (
    <section className="card pad proof-report">
      <ProofMark outcome={proof.outcome} />
      <div className="stack tight">
        <h2>
          {equal
            ? 'Restored, and found equal'
            : `Restored, and ${plural(proof.differences.length, 'difference')} found`}
        </h2>
        <p className="quiet">
          <Ago at={proof.at} />, in {duration(proof.tookMs)}, on {proof.on}. Rows, contents, sequences, large objects,
          extensions and definitions were compared.
        </p>
        {proof.differences.length > 0 && (
          <ul className="differences">
            {proof.differences.map((difference) => (
              <li key={`${difference.object} ${difference.problem}`}>
                <code>{difference.object}</code> {difference.problem}
              </li>
            ))}
          </ul>
        )}
        {proof.notes.map((note) => (
          <p key={note} className="small quiet">
            {note}
          </p>
        ))}
      </div>
    </section>
  )
}
