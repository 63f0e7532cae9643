import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../core/app-error.ts'
import { type KnownKeys, findKnownKeys, nameOf } from './known-hosts.ts'
import type { SshPlace, SshPurpose } from './ssh-place.ts'
import { expandHome } from './ssh-surroundings.ts'

type TrustedPlace = SshPlace & { readonly purpose: SshPurpose }

/** Tells whether a server is the one that is meant. */
export interface HostTrust {
  /** Of the keys that are known, for the server to show one of these; empty where any would be unknown, or is pinned. */
  readonly algorithms: readonly string[]
  /** Why the key is refused, or undefined if it is that of the host. */
  refusal(key: Buffer): AppError | undefined
}

/** Reads what is known of the host of a place. Throws the purpose's `untrusted` if a file that was named can not be read. */
export async function readHostTrust(server: SshPlace, purpose: SshPurpose, homeDirectory: string): Promise<HostTrust> {
  const place = { ...server, purpose }
  if (place.hostKey !== undefined) return pinned(place, place.hostKey)
  const files =
    place.knownHosts === undefined
      ? [join(homeDirectory, '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts']
      : [expandHome(place.knownHosts, homeDirectory)]
  const texts = await Promise.all(files.map((path) => readKnownHosts(path, place)))
  const known = findKnownKeys(texts.join('\n'), place)
  return {
    algorithms: [...new Set(known.trusted.flatMap((key) => algorithmsOf(typeOf(key))))],
    refusal: (key) => refusalOf(key, known, place, files[0] ?? ''),
  }
}

function pinned(place: TrustedPlace, hostKey: string): HostTrust {
  return {
    algorithms: [],
    refusal: (key) => (fingerprintOf(key) === hostKey ? undefined : changedKey(key, place, 'host_key= in its URL')),
  }
}

function refusalOf(
  key: Buffer,
  { trusted, revoked }: KnownKeys,
  place: TrustedPlace,
  file: string,
): AppError | undefined {
  if (revoked.some((other) => other.equals(key))) return changedKey(key, place, `"@revoked" in ${file}`)
  if (trusted.some((other) => other.equals(key))) return undefined
  if (trusted.length > 0) return changedKey(key, place, file)
  const port = place.port === 22 ? '' : `-p ${place.port} `
  return new AppError(
    place.purpose.untrusted,
    `the host key of ${nameOf(place)} is not known; it shows ${typeOf(key)} SHA256:${fingerprintOf(key)}`,
    {
      hint: `compare that with what the server's owner says, then add it: ssh-keyscan ${port}${place.host.replace(/^\[|\]$/g, '')} >> ${file}`,
    },
  )
}

function changedKey(key: Buffer, place: TrustedPlace, known: string): AppError {
  return new AppError(
    place.purpose.untrusted,
    `THE HOST KEY OF ${nameOf(place)} IS NOT THE ONE THAT IS KNOWN: it shows ${typeOf(key)} SHA256:${fingerprintOf(key)}, against ${known}`,
    {
      hint:
        'somebody may stand between you and the server; nothing was sent. Only if its owner tells you that the key has changed, to this one, ' +
        `remove the old one (ssh-keygen -R '${nameOf(place)}') and add the new one`,
    },
  )
}

async function readKnownHosts(path: string, { knownHosts, purpose }: TrustedPlace): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (isMissing && knownHosts === undefined) return ''
    throw new AppError(purpose.untrusted, `the file of known hosts ${path} can not be read`, {
      cause: error,
      hint: 'check the path and its permissions: without it nobody knows which server is the right one',
    })
  }
}

/** A key begins with its type: RFC 4253 §6.6. */
function typeOf(key: Buffer): string {
  return key.length < 4 ? '' : key.toString('latin1', 4, 4 + key.readUInt32BE(0))
}

function algorithmsOf(type: string): string[] {
  return type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [type]
}

function fingerprintOf(key: Buffer): string {
  return createHash('sha256').update(key).digest('base64').replace('=', '')
}
