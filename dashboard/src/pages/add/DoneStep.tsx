import { ButtonLink } from '../../ui/Button.tsx'
import { ProofMark } from '../../ui/Marks.tsx'

export function DoneStep({ database }: { database: string }) {
  return (
    <div className="stack done-step">
      <ProofMark outcome="proven" />
      <h2>{database} is looked after</h2>
      <p className="quiet">
        The overview tells at any time whether it could be restored right now, to when, and how that is known. Say where
        alerts go, so that you hear when it changes.
      </p>
      <div className="form-foot">
        <ButtonLink to="/alerts?tab=channels">Say where alerts go</ButtonLink>
        <ButtonLink to={`/databases/${encodeURIComponent(database)}`}>Look at {database}</ButtonLink>
        <ButtonLink kind="primary" to="/">
          To the overview
        </ButtonLink>
      </div>
    </div>
  )
}
