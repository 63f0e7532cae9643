import { type Socket, connect } from 'node:net'
import ssh2, { type Client, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2'
import { AppError, messageOf } from '../core/app-error.ts'
import { type HostTrust, readHostTrust } from './host-key.ts'
import { type SshLogin, findLogin, offerInTurn, refusedLogin } from './ssh-login.ts'
import type { SshPlace, SshPurpose } from './ssh-place.ts'
import type { SshSurroundings } from './ssh-surroundings.ts'

/** What is logged in. */
export interface SshSession {
  readonly client: Client
  readonly socket: Socket
  readonly user: string
}

/** The connection is gone, or there never was one; another may do better. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost'
}

/**
 * Connects, looks at the host's key, and logs in, all within `connectMs`. Rejects with `ConnectionLost`, or with an
 * AppError of the purpose's codes.
 */
export async function openSshSession(
  place: SshPlace,
  purpose: SshPurpose,
  surroundings: SshSurroundings,
  options: { readonly connectMs: number; readonly keepAliveMs?: number },
): Promise<SshSession> {
  const { connectMs, keepAliveMs = 0 } = options
  const trust = await readHostTrust(place, purpose, surroundings.homeDirectory)
  const login = await findLogin(place, purpose, surroundings)
  const socket = connect({ host: place.host.replace(/^\[|\]$/g, ''), port: place.port })
  // a gateway forgets connections that rest
  socket.setKeepAlive(true, 30_000).setNoDelay()
  const timer = setTimeout(() => socket.destroy(new Error(`no login within ${connectMs / 1000} s`)), connectMs)
  let refusal: AppError | undefined
  const client = new ssh2.Client()
  try {
    await logIn(client, {
      sock: socket,
      username: login.user,
      readyTimeout: 0,
      keepaliveInterval: keepAliveMs,
      authHandler: offerInTurn(login),
      hostVerifier: (key: Buffer) => {
        refusal = trust.refusal(key)
        return refusal === undefined
      },
      algorithms: { serverHostKey: hostKeyAlgorithms(trust) },
    })
    return { client, socket, user: login.user }
  } catch (error) {
    client.destroy()
    throw refusal ?? explain(error, place, purpose, login)
  } finally {
    clearTimeout(timer)
  }
}

function logIn(client: Client, config: ConnectConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on('error', (error) => {
      // ssh2 goes on with the next method
      if (levelOf(error) !== 'agent' && !/^Error (while )?signing/.test(error.message)) reject(error)
    })
    client.on('close', () => reject(new ConnectionLost('the connection broke while logging in')))
    client.on('ready', resolve)
    client.connect(config)
  })
}

const supportedHostKeys: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa',
]

/** The known ones first, so that the server shows one of these if it has it. */
function hostKeyAlgorithms({ algorithms }: HostTrust): ServerHostKeyAlgorithm[] {
  const isKnown = (name: string) => algorithms.includes(name)
  return [...supportedHostKeys.filter(isKnown), ...supportedHostKeys.filter((name) => !isKnown(name))]
}

function explain(error: unknown, place: SshPlace, purpose: SshPurpose, login: SshLogin): unknown {
  if (error instanceof ConnectionLost) return error
  const message = messageOf(error)
  if (levelOf(error) === 'client-authentication' || /too many authentication failures/i.test(message)) {
    return refusedLogin(place, purpose, login, error)
  }
  if (/no matching/i.test(message)) {
    return new AppError(purpose.failed, `${place.host} and pgrevive know no common algorithm: ${message}`, {
      cause: error,
      hint: 'the server may be too old: update it',
    })
  }
  return new ConnectionLost(message, { cause: error })
}

function levelOf(error: unknown): unknown {
  return error instanceof Error && 'level' in error ? error.level : undefined
}
