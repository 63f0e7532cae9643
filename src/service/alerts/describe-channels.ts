import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'
import { ulid } from 'ulid'
import type { ConfiguredChannel } from '../../config/config-alerts.ts'
import type { ChannelTarget } from '../../config/config-channels.ts'
import type { TextSource } from '../../config/config-secret.ts'
import { AppError, messageOf } from '../../core/app-error.ts'
import type { Channel, ChannelTest } from '../../shapes/alert.ts'
import type { State } from '../state/state.ts'
import { deliveryColumns, deliveryRow } from './alert-rows.ts'
import { type SenderSurroundings, sendNotice } from './channels/send-notice.ts'

/** As the API shows one, without what is secret of it. */
export function describeChannel({ name, target, least, quiet }: ConfiguredChannel, state: State): Channel {
  const last = state.first(
    deliveryRow,
    `select ${deliveryColumns} from delivery where channel = :name and (state <> 'waiting' or error is not null)
     order by at desc limit 1`,
    { name },
  )
  return {
    name,
    kind: target.kind,
    target: describeTarget(target),
    least,
    quiet: quiet ? `${quiet.from} to ${quiet.to} (${quiet.timeZone})` : null,
    lastDelivery: last ? { at: last.at, ok: last.state === 'sent', error: last.error } : null,
  }
}

export function describeTarget(target: ChannelTarget): string {
  switch (target.kind) {
    case 'email':
      return target.to.join(', ')
    case 'slack':
    case 'discord':
    case 'webhook':
      return sourceWords(target.url)
    case 'telegram':
      return `chat ${target.chatId}`
    case 'ntfy':
      return `${hostOf(target.url)}, topic ${target.topic}`
    case 'pagerduty':
      return hostOf(target.url)
  }
}

/** What is behind the host of such a URL lets whoever knows it send to it. */
function sourceWords(source: TextSource): string {
  if (source.kind === 'text') return hostOf(source.text)
  return source.kind === 'variable' ? `the URL in ${source.name}` : 'the URL in a file'
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'no URL'
}

/** What a notice says of where it is from: the service as people know it. */
export function originOf(serviceUrl: string | undefined): { service: string; link: string | undefined } {
  if (serviceUrl === undefined) return { service: hostname(), link: undefined }
  return { service: hostOf(serviceUrl), link: `${serviceUrl.replace(/\/$/, '')}/alerts` }
}

/** Sends a notice that says that it is a test; it has the link that alerts have, or says why they have none. */
export async function testChannel(
  { name, target }: ConfiguredChannel,
  surroundings: SenderSurroundings & { readonly now: Date; readonly serviceUrl: string | undefined },
): Promise<ChannelTest> {
  const { now, serviceUrl } = surroundings
  const begunAt = performance.now()
  const id = ulid(now.getTime())
  const alert = {
    id,
    kind: 'service',
    severity: 'info',
    subject: name,
    title: `alerts reach ${name}`,
    text: `Somebody has tried this channel. Nothing is wrong.${serviceUrl === undefined ? ' Alerts have no link: "url:" of "service:" in pgrevive.yaml does not say how people reach the dashboard.' : ''}`,
    remedy: null,
    run: null,
    openedAt: now.toISOString(),
    toldAt: null,
    closedAt: null,
    acknowledgedBy: null,
  } as const
  const took = () => Math.round(performance.now() - begunAt)
  try {
    await sendNotice({ id, kind: 'test', at: now, alert, ...originOf(serviceUrl) }, target, surroundings)
    return { ok: true, error: null, tookMs: took() }
  } catch (error) {
    const hint = error instanceof AppError && error.hint !== undefined ? `; ${error.hint}` : ''
    return { ok: false, error: messageOf(error) + hint, tookMs: took() }
  }
}
