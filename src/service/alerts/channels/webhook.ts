import { createHmac } from 'node:crypto'
import { type Notice, detailsOf, headlineOf } from './notice.ts'

/** What a webhook gets, unless it has a template. */
export function webhookPayload({ id, kind, at, alert, link, service }: Notice): object {
  const { kind: what, severity, subject, title, text, remedy, run, openedAt, closedAt, acknowledgedBy } = alert
  return {
    id,
    notice: kind,
    at: at.toISOString(),
    service,
    link: link ?? null,
    alert: {
      id: alert.id,
      kind: what,
      severity,
      subject,
      title,
      text,
      remedy,
      run,
      openedAt,
      closedAt,
      acknowledgedBy,
    },
  }
}

/** Fills `{{title}}` and the like in every text of a template. What it fills in stays inside the text: no name can add a key. */
export function fillTemplate(template: Readonly<Record<string, unknown>>, notice: Notice): object {
  const { alert } = notice
  const words: Readonly<Record<string, string>> = {
    notice: notice.kind,
    headline: headlineOf(notice),
    details: detailsOf(notice),
    id: alert.id,
    kind: alert.kind,
    severity: alert.severity,
    subject: alert.subject,
    title: alert.title,
    text: alert.text,
    remedy: alert.remedy ?? '',
    opened_at: alert.openedAt,
    closed_at: alert.closedAt ?? '',
    link: notice.link ?? '',
    service: notice.service,
  }
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value.replaceAll(/\{\{ ?(\w+) ?\}\}/g, (all, word: string) => words[word] ?? all)
    if (Array.isArray(value)) return value.map(fill)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]))
  }
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fill(value)]))
}

/**
 * Headers as https://www.standardwebhooks.com has them: `webhook-signature` is `v1,` and the HMAC-SHA256, in base64, of
 * `ID.TIMESTAMP.BODY`, where TIMESTAMP is in seconds since 1970. A secret that begins with `whsec_` is base64 after that;
 * any other is taken as it is.
 */
export function signatureHeaders(
  { id, at }: { readonly id: string; readonly at: Date },
  body: string,
  secret: string,
): Record<string, string> {
  const timestamp = Math.floor(at.getTime() / 1000)
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` }
}
