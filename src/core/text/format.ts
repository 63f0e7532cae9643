import { printable } from './printable.ts'
import { textWidth } from './text-width.ts'

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Decimal units, three digits at most before the point: `999 B`, `1.2 kB`, `843 MB`. */
export function formatBytes(bytes: number | bigint): string {
  let value = Number(bytes)
  let unit = 0
  // 999.5 would be rounded to 1000 of its unit
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit > 0 && value < 99.95 ? value.toFixed(1) : Math.round(value)} ${byteUnits[unit]}`
}

/** `1,234,567`, `9.5` */
export function formatCount(count: number | bigint): string {
  // toLocaleString loads all of ICU's number formats first
  const [whole = '', ...fraction] = String(count).split('.')
  return [whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ','), ...fraction].join('.')
}

/** `1 table`, `2,310 tables` */
export function formatQuantity(count: number | bigint, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${Number(count) === 1 ? singular : plural}`
}

/** `40 ms`, `3.2 s`, `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h` */
export function formatDuration(durationMs: number): string {
  if (durationMs < 99.5) return `${Math.round(durationMs)} ms`
  if (durationMs < 9950) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return twoUnits(seconds, 60, 'min', 's')
  const minutes = Math.round(seconds / 60)
  return minutes < 1440 ? twoUnits(minutes, 60, 'h', 'min') : twoUnits(Math.round(minutes / 60), 24, 'd', 'h')
}

function twoUnits(value: number, perUnit: number, large: string, small: string): string {
  const rest = value % perUnit
  return `${Math.floor(value / perUnit)} ${large}${rest === 0 ? '' : ` ${rest} ${small}`}`
}

/** `84.1 MB/s`, `12,000 rows/s`, `3 items/s` */
export function formatRate(perSecond: number, unit: 'bytes' | 'rows' | 'items'): string {
  if (unit === 'bytes') return `${formatBytes(perSecond)}/s`
  return `${formatCount(perSecond < 10 ? Number(perSecond.toFixed(1)) : Math.round(perSecond))} ${unit}/s`
}

/** `just now`, `5 minutes ago`, `3 hours ago`, `12 days ago` */
export function formatAge(then: Date, now: Date): string {
  const minutes = Math.floor((now.getTime() - then.getTime()) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${formatQuantity(minutes, 'minute')} ago`
  if (minutes < 1440) return `${formatQuantity(Math.floor(minutes / 60), 'hour')} ago`
  return `${formatQuantity(Math.floor(minutes / 1440), 'day')} ago`
}

/** `2026-11-22 08:03:11Z`: sorts, and is the same on every machine. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

export interface TableColumn {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Applied to the cell after it was padded, so that escape codes do not disturb the widths. */
  readonly style?: (text: string) => string
}

export interface TableOptions {
  readonly heading?: (text: string) => string
  /** Columns that do not fit into it stand on lines of their own below the others, indented. */
  readonly width?: number
}

const gap = '  '

/** Aligned columns, two spaces apart, a line each, ending in a line break. Cells are made printable. */
export function formatTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')))
  const widths = columns.map(({ title }, index) =>
    cells.reduce((width, row) => Math.max(width, textWidth(row[index] ?? '')), textWidth(title)),
  )
  const decks = splitColumns(widths, options.width ?? Infinity)
  const lines = (texts: readonly string[], styles: readonly TableColumn['style'][]) =>
    decks.map((deck, number) => {
      const padded = deck.map((index, place) => {
        const text = texts[index] ?? ''
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - textWidth(text)))
        const cell =
          columns[index]?.align === 'right' ? padding + text : place === deck.length - 1 ? text : text + padding
        return text === '' ? cell : (styles[index]?.(cell) ?? cell)
      })
      return (number === 0 ? '' : gap) + padded.join(gap)
    })
  const titles = columns.map((column) => column.title)
  const heading = columns.map(() => options.heading)
  const style = columns.map((column) => column.style)
  return [lines(titles, heading), ...cells.map((row) => lines(row, style))]
    .flat()
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('')
}

/** The numbers of the columns that stand on one line, line after line. */
function splitColumns(widths: readonly number[], most: number): number[][] {
  const decks: number[][] = []
  let taken = 0
  for (const [index, width] of widths.entries()) {
    const deck = decks.at(-1)
    if (deck && taken + gap.length + width <= most) {
      deck.push(index)
      taken += gap.length + width
    } else {
      decks.push([index])
      taken = deck ? gap.length + width : width
    }
  }
  return decks
}
