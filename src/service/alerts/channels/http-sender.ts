import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { AppError, messageOf } from '../../../core/app-error.ts'
import { printable } from '../../../core/text/printable.ts'
import type { Reach, ReachedAddress } from '../../reach.ts'
import { type HttpMessage, cut } from './notice.ts'

const timeoutMs = 15_000
/** Of an answer; what comes after that is not read. */
const mostBytes = 64 * 1024

/**
 * Sends to the address that was looked at, and follows no redirect. Resolves for any 2xx; rejects with `channel-failed`,
 * `address-refused` or `address-unknown`, without secrets.
 */
export async function sendHttp(
  { url, headers, body, secrets, method = 'POST' }: HttpMessage & { readonly method?: 'POST' | 'GET' },
  reach: Reach,
): Promise<void> {
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new AppError('channel-failed', 'its URL is no http:// or https:// URL')
  }
  const addresses = await reach.resolve(parsed.hostname)
  const hidden = (text: string) =>
    secrets.filter((it) => it !== '').reduce((shown, secret) => shown.replaceAll(secret, '…'), text)
  const answer = await exchange(parsed, { method, headers, body, addresses }).catch((error: unknown) => {
    throw new AppError('channel-failed', hidden(`${parsed.host} did not take it: ${messageOf(error)}`))
  })
  if (answer.status >= 200 && answer.status < 300) return
  const words = cut(printable(hidden(answer.text).replaceAll(/\s+/g, ' ').trim()), 200)
  const redirect = answer.status >= 300 && answer.status < 400
  throw new AppError(
    'channel-failed',
    `${parsed.host} answered with status ${answer.status}${words === '' ? '' : `: ${words}`}`,
    redirect ? { hint: 'redirects are not followed; name the URL that it leads to' } : {},
  )
}

interface Exchange {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly addresses: readonly ReachedAddress[]
}

function exchange(
  url: URL,
  { method, headers, body, addresses }: Exchange,
): Promise<{ readonly status: number; readonly text: string }> {
  const checked: LookupFunction = (_host, { all }, found) => {
    const [first] = addresses
    if (all === true || !first) found(null, [...addresses])
    else found(null, first.address, first.family)
  }
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
    url,
    {
      method,
      headers: { 'user-agent': 'pgrevive', 'content-length': String(Buffer.byteLength(body)), ...headers },
      lookup: checked,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    },
    (response) => {
      const parts: Buffer[] = []
      let size = 0
      const end = () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() })
      response.on('data', (part: Buffer) => {
        parts.push(part)
        size += part.length
        if (size < mostBytes) return
        end()
        response.destroy()
      })
      response.on('end', end)
      response.on('error', reject)
    },
  )
  request.on('error', (error) => reject(error.name === 'TimeoutError' ? new Error('no answer in 15 s') : error))
  request.end(method === 'GET' ? undefined : body)
  return promise
}
