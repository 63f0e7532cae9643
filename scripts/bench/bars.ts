import type { SpeedRow } from './speed.ts'

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const barHeight = 22
const labelWidth = 330
const width = 860

/** A picture of seconds, one bar a row, as SVG. Ours stand out. */
export function drawBars(rows: readonly SpeedRow[]): string {
  const longest = Math.max(...rows.map(({ seconds }) => seconds))
  const bars = rows.map(({ id, what, seconds }, position) => {
    const y = position * barHeight
    const length = Math.max(1, (seconds / longest) * (width - labelWidth - 60))
    const fill = id === 'floor' ? '#9aa5b1' : what.startsWith('pgrevive') ? '#1f7a5c' : '#c9ced6'
    return `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${escape(what)}</text><rect x="${labelWidth}" y="${y + 3}" width="${length.toFixed(1)}" height="${barHeight - 6}" fill="${fill}"/><text x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 15}">${seconds.toFixed(1)} s</text>`
  })
  const height = rows.length * barHeight + 4
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#3e4c59"><rect width="100%" height="100%" fill="#ffffff"/>${bars.join('')}</svg>\n`
}
