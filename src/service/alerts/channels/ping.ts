import type { Run } from '../../../shapes/run.ts'
import type { TextSource } from '../../../config/config-secret.ts'
import { sendHttp } from './http-sender.ts'
import { readText } from './secret-text.ts'
import type { SenderSurroundings } from './send-notice.ts'

export type PingKind = 'start' | 'success' | 'fail'

/** What to call when a run of a schedule has come to a state; undefined for nothing. */
export function pingOf({ state }: Pick<Run, 'state'>): PingKind | undefined {
  if (state === 'running') return 'start'
  if (state === 'done') return 'success'
  return state === 'failed' ? 'fail' : undefined
}

/** https://healthchecks.io/docs/http_api/: URL, URL/start, URL/fail */
export function pingUrl(url: string, kind: PingKind): string {
  if (kind === 'success') return url
  const parsed = new URL(url)
  parsed.pathname = `${parsed.pathname.replace(/\/$/, '')}/${kind}`
  return parsed.href
}

export async function sendPing(source: TextSource, kind: PingKind, surroundings: SenderSurroundings): Promise<void> {
  const url = await readText(source, surroundings.environment)
  const { pathname } = URL.parse(url) ?? { pathname: '' }
  const message = {
    url: pingUrl(url, kind),
    headers: {},
    body: '',
    secrets: [url, pathname].filter((it) => it.length > 1),
  }
  return sendHttp({ ...message, method: 'GET' }, surroundings.reach)
}
