import { isIP } from 'node:net'
import { AppError } from '../core/app-error.ts'

/** Where the service listens, and as what it is known. */
export interface ListenSettings {
  /** Of `listen`: "127.0.0.1:8432". */
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** As people reach it; undefined for where it listens. */
  readonly url: string | undefined
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | undefined
  readonly trustedProxies: readonly string[]
}

export interface Places {
  /** That it listens at. */
  readonly port: number
  /** Links, cookies and where an identity provider sends people back to. */
  readonly url: string
  /** Of pages whose requests are our own. */
  readonly origins: ReadonlySet<string>
  /** What a request may call us: another name is one that somebody has pointed here. */
  readonly hosts: ReadonlySet<string>
}

/** By the port that it got. */
export function placesOf({ host, tls, url }: ListenSettings, port: number): Places {
  const scheme = tls ? 'https' : 'http'
  const names = new Set(['localhost', '127.0.0.1', '[::1]', ...(isWildcard(host) ? [] : [bracketed(host)])])
  const own = [...names].map((name) => new URL(`${scheme}://${name}:${port}`))
  const known = url === undefined ? undefined : new URL(url)
  const first = isLoopback(host) ? `${scheme}://${bracketed(host)}:${port}` : own[0]?.origin
  return {
    port,
    url: known?.origin ?? first ?? '',
    origins: new Set([...own, ...(known ? [known] : [])].map(({ origin }) => origin)),
    hosts: new Set([...own, ...(known ? [known] : [])].map((one) => one.host)),
  }
}

/**
 * Throws `config-invalid` for what would send passwords over a network in the clear, or leave open under which name the
 * service is known. Answers with what is odd and was asked for.
 */
export function refuseOpen({ host, url, tls, trustedProxies }: ListenSettings): string | undefined {
  const isSecret = tls !== undefined || isLoopback(host)
  if (!isLoopback(host) && url === undefined) {
    throw new AppError('config-invalid', `the service listens on ${host}, and has no "url:"`, {
      hint: 'add "url: https://NAME" to "service:" of pgrevive.yaml: as people reach it',
    })
  }
  const known = url === undefined ? undefined : new URL(url)
  if (isSecret || known === undefined) return undefined
  if (known.protocol === 'https:') {
    if (trustedProxies.length > 0) return undefined
    return `${host} is open to the network without TLS: only the proxy that serves ${known.origin} should reach it; name it in "trusted_proxies:"`
  }
  if (isLoopback(known.hostname)) return undefined
  return `${known.origin} is not encrypted: whoever can listen to the network can read passwords; use "tls:", or a proxy and an https "url:"`
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'))
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host
}
