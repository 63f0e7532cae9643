import { Link } from 'react-router'

/** Two bars: what there was, and what came back, found equal. */
export function Brand() {
  return (
    <Link to="/" className="brand">
      <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
        <rect className="ground" width="32" height="32" rx="8" />
        <rect className="source" x="8" y="10" width="16" height="4" rx="2" />
        <rect className="restored" x="8" y="18" width="16" height="4" rx="2" />
      </svg>
      pgrevive
    </Link>
  )
}
