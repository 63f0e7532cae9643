import { type Socket, connect } from 'node:net'
import ssh2, { type Client, type ConnectConfig, type SFTPWrapper, type ServerHostKeyAlgorithm } from 'ssh2'
import { AppError, messageOf } from '../../core/app-error.ts'
import { type HostTrust, readHostTrust } from './host-key.ts'
import { ConnectionLost } from './sftp-errors.ts'
import type { SftpPlace } from './sftp-place.ts'
import { type SshLogin, findLogin, offerInTurn, refusedLogin } from './ssh-login.ts'
import type { SshSurroundings } from './ssh-surroundings.ts'

/** What is logged in, and speaks SFTP. */
export interface SftpSession {
  readonly client: Client
  readonly socket: Socket
  readonly sftp: SFTPWrapper
}

/**
 * Connects, looks at the host's key, and logs in, all within `connectMs`. Rejects with `ConnectionLost`, or with an
 * AppError: `store-untrusted`, `store-denied`, or `store-failed` where there is no SFTP.
 */
export async function openSftpSession(
  place: SftpPlace,
  surroundings: SshSurroundings,
  connectMs: number,
): Promise<SftpSession> {
  const trust = await readHostTrust(place, surroundings.homeDirectory)
  const login = await findLogin(place, surroundings)
  const socket = connect({ host: place.host.replace(/^\[|\]$/g, ''), port: place.port })
  // a gateway forgets connections that rest
  socket.setKeepAlive(true, 30_000).setNoDelay()
  const timer = setTimeout(() => socket.destroy(new Error(`no login within ${connectMs / 1000} s`)), connectMs)
  let refusal: AppError | undefined
  const client = new ssh2.Client()
  try {
    const sftp = await logIn(client, {
      sock: socket,
      username: login.user,
      readyTimeout: 0,
      authHandler: offerInTurn(login),
      hostVerifier: (key: Buffer) => {
        refusal = trust.refusal(key)
        return refusal === undefined
      },
      algorithms: { serverHostKey: hostKeyAlgorithms(trust) },
    })
    return { client, socket, sftp }
  } catch (error) {
    client.destroy()
    throw refusal ?? explain(error, place, login)
  } finally {
    clearTimeout(timer)
  }
}

/** The session's own failures. */
class NoSftp extends Error {}

function logIn(client: Client, config: ConnectConfig): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.on('error', (error) => {
      // ssh2 goes on with the next method
      if (levelOf(error) !== 'agent' && !/^Error (while )?signing/.test(error.message)) reject(error)
    })
    client.on('close', () => reject(new ConnectionLost('the connection broke while logging in')))
    client.on('ready', () => client.sftp((error, sftp) => (error ? reject(new NoSftp(error.message)) : resolve(sftp))))
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

function explain(error: unknown, place: SftpPlace, login: SshLogin): unknown {
  if (error instanceof ConnectionLost) return error
  const message = messageOf(error)
  const failed = (text: string, hint: string) => new AppError('store-failed', text, { cause: error, hint })
  if (error instanceof NoSftp) {
    if (/^No(t connected| response)/.test(message)) return new ConnectionLost(message)
    return failed(
      `${place.host} offers no SFTP to ${login.user}`,
      'sshd needs "Subsystem sftp internal-sftp", and what runs at the login must print nothing',
    )
  }
  if (levelOf(error) === 'client-authentication' || /too many authentication failures/i.test(message))
    return refusedLogin(place, login, error)
  if (/no matching/i.test(message)) {
    return failed(
      `${place.host} and pgrevive know no common algorithm: ${message}`,
      'the server may be too old: update it',
    )
  }
  return new ConnectionLost(message, { cause: error })
}

function levelOf(error: unknown): unknown {
  return error instanceof Error && 'level' in error ? error.level : undefined
}
