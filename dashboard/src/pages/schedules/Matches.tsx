/** The databases that a schedule would be about now. One that fits none does not run: that must not look like one that does. */
export function Matches({ names }: { names: string[] }) {
  if (names.length === 0) return <p className="small tone-risk">No database fits now: it does not run.</p>
  return (
    <p className="small quiet break">
      of {names.slice(0, 6).join(', ')}
      {names.length > 6 && ` and ${names.length - 6} more`}
    </p>
  )
}
