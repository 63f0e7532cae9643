import { readFile } from 'node:fs/promises'
import { AppError, messageOf } from '../../../core/app-error.ts'
import type { EmailTarget } from '../../../config/config-channels.ts'
import type { Reach } from '../../reach.ts'
import { type Notice, cut, detailsOf, headlineOf, paragraphsOf } from './notice.ts'
import { escapeHtml } from './telegram.ts'

/** A message as nodemailer takes it. */
export interface Mail {
  readonly from: string
  readonly to: string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly messageId: string
  readonly inReplyTo?: string
  readonly headers: Record<string, string>
}

const colours = { info: '#2563eb', warning: '#b45309', critical: '#b91c1c', closed: '#15803d' } as const

export function mailOf(notice: Notice, { from, to }: Pick<EmailTarget, 'from' | 'to'>): Mail {
  const { kind, alert, link } = notice
  const headline = headlineOf(notice)
  const paragraphs = paragraphsOf(notice)
  const details = detailsOf(notice)
  const host = from.slice(from.lastIndexOf('@') + 1)
  const threadId = `<${alert.id}@${host}>`
  const colour = colours[kind === 'closed' ? 'closed' : alert.severity]
  const html = [
    `<p style="border-left:4px solid ${colour};padding-left:8px"><strong>${escapeHtml(headline)}</strong></p>`,
    ...paragraphs.map((text) => `<p>${escapeHtml(text).replaceAll('\n', '<br>')}</p>`),
    `<p style="color:#6b7280">${escapeHtml(details)}</p>`,
    ...(link === undefined ? [] : [`<p><a href="${escapeHtml(link)}">Open in pgrevive</a></p>`]),
  ]
  return {
    from,
    to: [...to],
    subject: cut(`[pgrevive] ${headline}`, 200),
    text: [headline, ...paragraphs, details, ...(link === undefined ? [] : [link])].join('\n\n') + '\n',
    html: `<!doctype html><html><body style="font-family:sans-serif">${html.join('')}</body></html>`,
    // all that is told of an alert is one thread
    messageId: kind === 'opened' || kind === 'test' ? threadId : `<${notice.id}@${host}>`,
    ...(kind === 'opened' || kind === 'test' ? {} : { inReplyTo: threadId }),
    // no answers from those who are on holiday: RFC 3834
    headers: { 'Auto-Submitted': 'auto-generated' },
  }
}

const timeoutMs = 30_000

/** Rejects with `channel-failed`, or `address-refused`. */
export async function sendMail(
  notice: Notice,
  target: EmailTarget,
  { password, reach }: { readonly password: string | undefined; readonly reach: Reach },
): Promise<void> {
  const { host, port, user, tls, caFile } = target.smtp
  const [{ address }] = await reach.resolve(host)
  // Some megabytes, for those alone who want mail.
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    // that which was looked at, and no name that could lead elsewhere the next moment
    host: address,
    port,
    secure: tls === 'direct',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { servername: host, ...(caFile === undefined ? {} : { ca: await readFile(caFile) }) },
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  try {
    const { rejected } = await transport.sendMail(mailOf(notice, target))
    if (rejected.length === 0) return
    throw new AppError('channel-failed', `the mail server refused ${rejected.length} of the recipients`)
  } catch (error) {
    if (error instanceof AppError) throw error
    const reason = password === undefined ? messageOf(error) : messageOf(error).replaceAll(password, '…')
    throw new AppError('channel-failed', `the mail server ${host}:${port} did not take it: ${cut(reason, 300)}`)
  } finally {
    transport.close()
  }
}
