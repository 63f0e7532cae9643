import { createHmac } from 'node:crypto'

/** What files of known hosts say of one host; keys as SSH sends them. */
export interface KnownKeys {
  readonly trusted: readonly Buffer[]
  readonly revoked: readonly Buffer[]
}

/**
 * Reads the text of `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). Certificate authorities are left out: ssh2
 * knows no certificates.
 */
export function findKnownKeys(text: string, host: { readonly host: string; readonly port: number }): KnownKeys {
  const keys = { trusted: [] as Buffer[], revoked: [] as Buffer[] }
  const name = nameOf(host)
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/[ \t]+/)
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined
    const [patterns = '', type, key] = fields
    if (patterns.startsWith('#') || type === undefined || key === undefined || !matches(patterns, name)) continue
    if (marker === undefined) keys.trusted.push(Buffer.from(key, 'base64'))
    else if (marker === '@revoked') keys.revoked.push(Buffer.from(key, 'base64'))
  }
  return keys
}

/** As known_hosts has it: a port that is not the usual one is part of the name. */
export function nameOf({ host, port }: { readonly host: string; readonly port: number }): string {
  const bare = host.replace(/^\[|\]$/g, '')
  return port === 22 ? bare : `[${bare}]:${port}`
}

function matches(patterns: string, name: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(patterns) ?? []
  if (salt !== undefined && hash !== undefined) {
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(Buffer.from(hash, 'base64'))
  }
  const alternatives = patterns.toLowerCase().split(',')
  const isNamed = (pattern: string) => wildcard(pattern).test(name)
  return (
    alternatives.some((pattern) => !pattern.startsWith('!') && isNamed(pattern)) &&
    !alternatives.some((pattern) => pattern.startsWith('!') && isNamed(pattern.slice(1)))
  )
}

/** `*` stands for any characters, `?` for one. */
function wildcard(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
}
