/** A line of values over equal steps; gaps are bridged. Decorative: what it says is said in words beside it, or by `label`. */
export function Line({ values, label, tall }: { values: (number | null)[]; label?: string; tall?: boolean }) {
  const known = values.flatMap((value, index) => (value === null ? [] : [{ index, value }]))
  const height = tall ? 56 : 22
  const width = tall ? 240 : 64
  if (known.length < 3) return <svg className="line-chart" viewBox={`0 0 ${width} ${height}`} aria-hidden="true" />
  const top = Math.max(...known.map((point) => point.value))
  const low = tall ? 0 : Math.min(...known.map((point) => point.value))
  const span = top - low || 1
  const x = (index: number) => (index / Math.max(1, values.length - 1)) * (width - 4) + 2
  // A flat line lies in the middle, not at the bottom.
  const y = (value: number) => (top === low ? height / 2 : height - 3 - ((value - low) / span) * (height - 6))
  const path = known
    .map((point, at) => `${at === 0 ? 'M' : 'L'}${x(point.index).toFixed(1)} ${y(point.value).toFixed(1)}`)
    .join('')
  const first = known[0]
  const last = known[known.length - 1]
  if (!first || !last) return null
  return (
    <svg
      className={tall ? 'line-chart tall' : 'line-chart'}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio={tall ? 'none' : 'xMaxYMid meet'}
      {...(label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    >
      <path
        className="area"
        d={`${path}L${x(last.index).toFixed(1)} ${height}L${x(first.index).toFixed(1)} ${height}Z`}
      />
      <path className="stroke" d={path} vectorEffect="non-scaling-stroke" />
      {!tall && <circle className="end" cx={x(last.index)} cy={y(last.value)} r="2" />}
    </svg>
  )
}
