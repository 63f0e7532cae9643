import { nearestWord } from '../../core/text/suggestion.ts'

/** undefined where it is one that this machine knows. */
export function timeZoneProblem(timeZone: string): string | undefined {
  try {
    void new Intl.DateTimeFormat('en', { timeZone })
    return undefined
  } catch {
    const near = nearestWord(timeZone, Intl.supportedValuesOf('timeZone'))
    return `"${timeZone}" is no time zone${near === undefined ? '; write one such as Europe/Berlin or UTC' : `; did you mean "${near}"?`}`
  }
}

export function localTimeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}
