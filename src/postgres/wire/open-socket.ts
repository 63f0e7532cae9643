import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AppError } from '../../core/app-error.ts'
import type { ByteStream } from '../../core/byte-stream.ts'
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
 * A stream to a server on which nothing has been said yet but the request for TLS. Unix sockets never use TLS. Throws
 * `connection-failed`, `tls-failed` or the signal's reason.
 */
export async function openSocket(
  target: ConnectionTarget,
  host: Host,
  options: { encryption: Encryption; signal?: AbortSignal | undefined },
): Promise<ByteStream> {
  const { encryption, signal } = options
  const isUnix = host.host.startsWith('/') && host.address === undefined && !host.connect
  // Read first, so that a wrong path does not look like a server without TLS.
  const tlsOptions = isUnix || encryption === 'none' ? undefined : await readTlsOptions(target, host)
  signal?.throwIfAborted()
  const socket = await openPlain(target, host, { readsItself: tlsOptions !== undefined, signal })
  let opened = socket
  try {
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
    giveUp(opened)
    giveUp(socket)
    signal?.throwIfAborted()
    throw connectionFailure(error, describeHost(host))
  }
}

/**
 * Whether a PostgreSQL server answers at a host: undefined, or why not. It is asked for TLS, and then left; servers do not
 * log that.
 */
export async function findWhyNoServer(
  target: ConnectionTarget,
  host: Host,
  limitMs: number,
  signal: AbortSignal,
): Promise<AppError | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
  try {
    const socket = await openPlain(target, host, { readsItself: false, signal: limit })
    try {
      await requestTls(socket, describeHost(host), limit)
      return undefined
    } finally {
      giveUp(socket)
    }
  } catch (error) {
    signal.throwIfAborted()
    return connectionFailure(error, describeHost(host))
  }
}

/** `readsItself`: TLS will read from the socket, and not its `data` be listened to. */
async function openPlain(
  target: ConnectionTarget,
  host: Host,
  { readsItself, signal }: { readsItself: boolean; signal: AbortSignal | undefined },
): Promise<ByteStream> {
  if (host.connect) {
    return host.connect(signal).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw connectionFailure(error, describeHost(host))
    })
  }
  const onread = readsItself ? {} : { onread: reusedMemory(() => socket) }
  const isUnix = host.host.startsWith('/') && host.address === undefined
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
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    giveUp(socket)
    signal?.throwIfAborted()
    throw connectionFailure(error, describeHost(host))
  }
}

/** A late error of a socket that is given up has nobody to listen to it. */
function giveUp(socket: ByteStream): void {
  socket.on('error', () => undefined).destroy()
}

async function requestTls(socket: ByteStream, place: string, signal: AbortSignal | undefined): Promise<boolean> {
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
