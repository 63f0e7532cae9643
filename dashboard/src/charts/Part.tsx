/** A share as a bar; never thinner than can be seen. */
export function Part({ of, part }: { of: number; part: number }) {
  const share = of === 0 ? 0 : Math.min(1, part / of)
  return (
    <svg
      className="part"
      viewBox="0 0 100 4"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${(share * 100).toFixed(1)} %`}
    >
      <rect className="of" width="100" height="4" />
      {part > 0 && <rect className="share" width={Math.max(1.5, share * 100)} height="4" />}
    </svg>
  )
}
