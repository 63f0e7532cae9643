import type { Alert } from '../../../shapes/alert.ts'

/** What is told of an alert, once, to one channel. */
export interface Notice {
  /** The same when it is told again because nobody knows whether it arrived. */
  readonly id: string
  readonly kind: 'opened' | 'reminder' | 'closed' | 'test'
  readonly at: Date
  readonly alert: Omit<Alert, 'deliveries'>
  /** Where the dashboard shows it. */
  readonly link: string | undefined
  /** Which service speaks: the name of its machine, or of its URL. */
  readonly service: string
}

const beginnings = { opened: '', reminder: 'Still: ', closed: 'Over: ', test: 'Test: ' } as const

/** One line: `Still: the backup of shop failed`. */
export function headlineOf({ kind, alert }: Notice): string {
  return beginnings[kind] + oneLine(alert.title)
}

/** What follows the headline, in paragraphs of plain text. */
export function paragraphsOf({ kind, alert }: Notice): string[] {
  const text = alert.text === alert.title ? [] : [alert.text]
  if (kind === 'closed') return text
  return [...text, ...(alert.remedy === null ? [] : [`What to do: ${alert.remedy}`])]
}

/** `critical · objective · shop · since 2026-11-23 02:00 UTC` */
export function detailsOf({ alert, service }: Notice): string {
  const since = `since ${alert.openedAt.slice(0, 16).replace('T', ' ')} UTC`
  return [alert.severity, alert.kind, oneLine(alert.subject), since, service].join(' · ')
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}

/** At most so many characters (UTF-16 units), the last of which says that more was there. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** What is sent to a server by POST. */
export interface HttpMessage {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What no error may show. */
  readonly secrets: readonly string[]
}

export function jsonMessage(
  url: string,
  payload: unknown,
  { headers = {}, secrets }: { headers?: Readonly<Record<string, string>>; secrets: readonly string[] },
): HttpMessage {
  return { url, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(payload), secrets }
}
