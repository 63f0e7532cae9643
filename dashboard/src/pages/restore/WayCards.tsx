import type { ReactNode } from 'react'

export type Way = 'new' | 'in-place' | 'rows' | 'replace'

const ways: { way: Way; title: string; text: string; picture: ReactNode; needsLive: boolean }[] = [
  {
    way: 'new',
    title: 'Beside',
    text: 'A new database on the same server. Nothing else changes.',
    needsLive: false,
    picture: (
      <>
        <rect className="live" x="8" y="8" width="30" height="28" rx="4" />
        <rect className="restored" x="50" y="8" width="30" height="28" rx="4" />
      </>
    ),
  },
  {
    way: 'in-place',
    title: 'In place',
    text: 'Restored beside and verified, then the two change names in under a second. The old one is kept, so it can be undone.',
    needsLive: true,
    picture: (
      <>
        <rect className="old" x="2" y="8" width="28" height="28" rx="4" />
        <rect className="restored" x="58" y="8" width="28" height="28" rx="4" />
        <path className="arrow" d="M35 17h18m-4-4 4 4-4 4M53 28H35m4-4-4 4 4 4" />
      </>
    ),
  },
  {
    way: 'rows',
    title: 'Tables',
    text: 'Some tables, as new ones in a schema of their own in the live database.',
    needsLive: true,
    picture: (
      <>
        <rect className="live" x="8" y="8" width="72" height="28" rx="4" />
        <rect className="restored" x="54" y="14" width="18" height="16" rx="2" />
        <path className="arrow" d="M60 14v16M54 19.5h18M54 25h18" />
      </>
    ),
  },
  {
    way: 'replace',
    title: 'Replace contents',
    text: 'For hosted servers where no database can be made: what your role owns in it is replaced, after a safety backup.',
    needsLive: true,
    picture: (
      <>
        <rect className="live" x="8" y="8" width="72" height="28" rx="4" />
        <rect className="restored" x="13" y="13" width="62" height="18" rx="2" />
      </>
    ),
  },
]

export function WayCards({ way, onChange, isLive }: { way: Way; onChange: (way: Way) => void; isLive: boolean }) {
  return (
    <fieldset>
      <legend className="hidden-text">How to restore</legend>
      <div className="option-cards">
        {ways.map((one) => (
          <label key={one.way} className="option-card">
            <input
              type="radio"
              name="way"
              value={one.way}
              checked={way === one.way}
              disabled={one.needsLive && !isLive}
              onChange={() => onChange(one.way)}
            />
            <svg className="way-picture" viewBox="0 0 88 44" aria-hidden="true">
              {one.picture}
            </svg>
            <span className="strong">{one.title}</span>
            <small>{one.text}</small>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
