// Numbers as people read them. Sizes are decimal, as the commands print them.

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** "189 kB", three digits at most. */
export function size(bytes: number): string {
  let value = Math.abs(bytes)
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${bytes < 0 ? '−' : ''}${Number(value.toFixed(digits))} ${units[unit]}`
}

const counts = new Intl.NumberFormat('en')
export const count = (value: number) => counts.format(value)

/** "1 backup", "12 backups". */
export const plural = (value: number, one: string, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`

/** "+1,204", "−3", "±0". */
export const change = (value: number) => (value === 0 ? '±0' : `${value > 0 ? '+' : '−'}${count(Math.abs(value))}`)

export const factor = (value: number) => `${value >= 99.5 ? Math.round(value) : value.toFixed(1)}×`

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A duration, with one unit, or two where the second one matters: "340 ms", "10 s", "2 min 5 s", "3 h 20 min". */
export function duration(ms: number): string {
  if (ms < 995) return `${Math.max(1, Math.round(ms))} ms`
  if (ms < 10 * second) return `${Number((ms / second).toFixed(1))} s`
  if (ms < minute) return `${Math.round(ms / second)} s`
  if (ms < 10 * minute) return both(ms, minute, 'min', second, 's')
  if (ms < hour) return `${Math.round(ms / minute)} min`
  if (ms < day) return both(ms, hour, 'h', minute, 'min')
  return both(ms, day, 'd', hour, 'h')
}

/** Rounded first, so that the second one never fills a whole first one. */
function both(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rounded = Math.round(ms / small) * small
  const whole = Math.floor(rounded / large)
  const rest = (rounded - whole * large) / small
  return rest === 0 ? `${whole} ${largeName}` : `${whole} ${largeName} ${rest} ${smallName}`
}

/** How long, roughly, with one unit: "5 min", "2 h", "3 days". */
export function roughly(ms: number): string {
  const value = Math.abs(ms)
  if (value < minute) return `${Math.max(1, Math.round(value / second))} s`
  if (value < 90 * minute) return `${Math.round(value / minute)} min`
  if (value < 36 * hour) return `${Math.round(value / hour)} h`
  if (value < 60 * day) return `${Math.round(value / day)} days`
  if (value < 700 * day) return `${Math.round(value / (30.4 * day))} months`
  return `${Math.round(value / (365.25 * day))} years`
}

/** "2 h ago", "in 5 min", "just now". */
export function ago(time: string, now: number): string {
  const past = now - Date.parse(time)
  if (Math.abs(past) < 10 * second) return 'just now'
  return past > 0 ? `${roughly(past)} ago` : `in ${roughly(past)}`
}

const exactly = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const shortly = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})
const clocks = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** In the time zone of whoever looks. */
export const exact = (time: string) => exactly.format(new Date(time))
export const short = (time: string) => shortly.format(new Date(time))
export const clock = (time: string) => clocks.format(new Date(time))
export const dayOf = (time: string) => days.format(new Date(time))

/** With a capital and a full stop; a path, file or key at its beginning stays as it is. */
export const sentence = (text: string) => {
  const first = /^\S*\w/.exec(text)?.[0] ?? ''
  const begin = /[./_:]/.test(first) ? text.charAt(0) : text.charAt(0).toUpperCase()
  return begin + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.')
}
