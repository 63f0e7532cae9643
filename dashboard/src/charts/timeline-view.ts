/** The part of time that is shown, in milliseconds. */
export interface View {
  from: number
  to: number
}

const narrowest = 60_000

/** All of it, with some room at both ends. */
export function whole(times: number[]): View {
  const first = Math.min(...times)
  const last = Math.max(...times)
  const room = Math.max((last - first) * 0.04, 3_600_000)
  return { from: first - room, to: last + room }
}

/** Nearer (factor below 1) or further, around a moment that stays where it is; never beyond all there is. */
export function zoom(view: View, factor: number, around: number, bounds: View): View {
  const span = Math.min(bounds.to - bounds.from, Math.max(narrowest, (view.to - view.from) * factor))
  const part = (around - view.from) / (view.to - view.from)
  return within({ from: around - span * part, to: around + span * (1 - part) }, bounds)
}

/** Moved by so many milliseconds. */
export const pan = (view: View, by: number, bounds: View) => within({ from: view.from + by, to: view.to + by }, bounds)

/** With the moment in sight, moved no further than needed. */
export function reveal(view: View, time: number, bounds: View): View {
  const margin = (view.to - view.from) * 0.08
  if (time < view.from + margin) return pan(view, time - view.from - margin, bounds)
  if (time > view.to - margin) return pan(view, time - view.to + margin, bounds)
  return view
}

function within(view: View, bounds: View): View {
  const span = view.to - view.from
  if (view.from < bounds.from) return { from: bounds.from, to: bounds.from + span }
  if (view.to > bounds.to) return { from: bounds.to - span, to: bounds.to }
  return view
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const steps = [
  minute,
  5 * minute,
  15 * minute,
  hour,
  3 * hour,
  6 * hour,
  12 * hour,
  day,
  2 * day,
  7 * day,
  14 * day,
  30 * day,
  91 * day,
  365 * day,
]

const clocks = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const dates = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const months = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric' })

/** Round moments of the local clock in the view, at most `most`, each with its name. */
export function ticks(view: View, most: number): { at: number; text: string }[] {
  const span = view.to - view.from
  const step = steps.find((one) => span / one <= most) ?? span
  // Whole days and hours of whoever looks, not of UTC.
  const offset = new Date(view.from).getTimezoneOffset() * minute
  const first = Math.ceil((view.from - offset) / step) * step + offset
  const form = step < day ? clocks : step < 60 * day ? dates : months
  const found: { at: number; text: string }[] = []
  for (let at = first; at <= view.to; at += step) {
    const isMidnight = step < day && new Date(at).getHours() === 0 && new Date(at).getMinutes() === 0
    found.push({ at, text: (isMidnight ? dates : form).format(at) })
  }
  return found
}
