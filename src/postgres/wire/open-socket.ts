import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { AppError } from '../../core/app-error.ts'
import { describeHost, socketPath, type ConnectionTarget, type Host } from '../target/connection-target.ts'
import { reusedMemory } from './read-memory.ts'
import { connectionFailure } from './socket-error.ts'
import { readTlsOptions } from './tls-options.ts'
import { WireChannel } from './channel.ts'
import { sslRequest } from './messages.ts'

/** `offered` takes TLS if the server has it. */
export type Encryption = 'none' | 'offered' | 'required'

const letterS = 0x53
const letterN = 0x4e
/** Node gives up on the first of several addresses of a name after 250 ms by default: too early across an ocean. */
const addressAttemptMs = 5_000

/**
 * A socket to a server on which nothing has been said yet but the request for TLS. Unix sockets never use TLS. Throws
 * `connection-failed`, `tls-failed` or the signal's reason.
 */
export async function openSocket(
  target: ConnectionTarget,
  host: Host,
  options: { encryption: Encryption; signal?: AbortSignal | undefined },
): Promise<Socket | TLSSocket> {
  const { encryption, signal } = options
  const isUnix = host.host.startsWith('/') && host.address === undefined
  // Read first, so that a wrong path does not look like a server without TLS.
  const tlsOptions = isUnix || encryption === 'none' ? undefined : await readTlsOptions(target, host)
  signal?.throwIfAborted()
  // TLS reads by itself
  const onread = tlsOptions ? {} : { onread: reusedMemory(() => socket) }
  const socket: Socket = isUnix
    ? connectPlain({ ...onread, path: socketPath(host.host, host.port) })
    : connectPlain({
        ...onread,
        host: host.address ?? host.host,
        port: host.port,
        autoSelectFamilyAttemptTimeout: addressAttemptMs,
        noDelay: true,
        keepAlive: target.keepAliveMs !== undefined,
        keepAliveInitialDelay: target.keepAliveMs ?? 0,
      })
  let opened: Socket = socket
  try {
    await once(socket, 'connect', { signal })
    if (!tlsOptions) return socket
    if (target.sslNegotiation === 'postgres' && !(await requestTls(socket, describeHost(host), signal))) {
      if (encryption === 'offered') return socket
      throw new AppError('tls-failed', `${describeHost(host)} does not support TLS`, {
        hint: 'turn ssl on at the server, or set sslmode=prefer',
      })
    }
    opened = connectTls({ ...tlsOptions, socket })
    await once(opened, 'secureConnect', { signal })
    return opened
  } catch (error) {
    // A late error of a socket that is given up has nobody to listen to it.
    for (const it of new Set([socket, opened])) it.on('error', () => undefined).destroy()
    signal?.throwIfAborted()
    throw connectionFailure(error, describeHost(host))
  }
}

async function requestTls(socket: Socket, place: string, signal: AbortSignal | undefined): Promise<boolean> {
  const channel = new WireChannel(socket, place)
  using _abort = channel.failOn(signal)
  channel.send(sslRequest)
  const answer = await channel.receiveBytes(1)
  if (answer[0] === letterS || answer[0] === letterN) {
    // Refuses bytes behind the answer, which would be taken for encrypted ones: CVE-2021-23222.
    channel.unreceive(answer.subarray(1))
    channel.release()
    return answer[0] === letterS
  }
  throw new AppError('connection-failed', `${place} does not answer like a PostgreSQL server`, {
    hint: 'check the host and the port',
  })
}
