import type { ClientChannel } from 'ssh2'
import { AppError, messageOf } from '../core/app-error.ts'
import { TunnelStream } from '../core/byte-stream.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { type SshPlace, tunnelPurpose } from './ssh-place.ts'
import { ConnectionLost, type SshSession, openSshSession } from './ssh-session.ts'
import type { SshSurroundings } from './ssh-surroundings.ts'

const connectMs = 15_000
/** Three that are not answered end the connection. */
const keepAliveMs = 15_000

/** Connections from an SSH server onwards. */
export class SshTunnel implements AsyncDisposable {
  /** `user@bastion`, with the port if it is not the usual one. */
  readonly name: string
  readonly #session: SshSession
  #lost = false

  private constructor(session: SshSession, { host, port }: SshPlace) {
    this.#session = session
    this.name = `${session.user}@${host}${port === 22 ? '' : `:${port}`}`
    session.client.once('close', () => (this.#lost = true))
  }

  /** Throws `tunnel-untrusted`, `tunnel-denied` or `tunnel-failed`. */
  static async open(place: SshPlace, surroundings: SshSurroundings, signal: AbortSignal): Promise<SshTunnel> {
    const opening = openSshSession(place, tunnelPurpose, surroundings, { connectMs, keepAliveMs })
    opening.then(({ client }) => (signal.aborted ? client.destroy() : undefined)).catch(() => undefined) // told below
    try {
      return new SshTunnel(await untilAborted(opening, signal), place)
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      throw new AppError(
        'tunnel-failed',
        `the SSH server ${place.host}:${place.port} can not be reached: ${error.message}`,
        {
          cause: error,
          hint: 'check the name, the port (does an SSH server answer there?) and the network',
        },
      )
    }
  }

  /** As seen from the SSH server. Throws `tunnel-denied`, `tunnel-failed` or the signal's reason. */
  async connect(host: string, port: number, signal?: AbortSignal): Promise<TunnelStream> {
    return this.#open(`${host}:${port}`, signal, (done) =>
      this.#session.client.forwardOut('127.0.0.1', 0, host, port, done),
    )
  }

  /** To a Unix socket on the SSH server. */
  async connectToSocket(path: string, signal?: AbortSignal): Promise<TunnelStream> {
    return this.#open(path, signal, (done) => this.#session.client.openssh_forwardOutStreamLocal(path, done))
  }

  /** What a program there reads and prints. */
  async run(command: string, signal?: AbortSignal): Promise<TunnelStream> {
    return this.#open(command, signal, (done) => this.#session.client.exec(command, done))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.client.end()
    this.#session.socket.destroySoon()
  }

  async #open(
    what: string,
    signal: AbortSignal | undefined,
    open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
  ): Promise<TunnelStream> {
    if (this.#lost) throw this.#loss()
    const opening = new Promise<TunnelStream>((resolve, reject) => {
      const lose = () => reject(this.#loss())
      this.#session.client.once('close', lose)
      open((error, channel) => {
        this.#session.client.off('close', lose)
        if (error) return reject(this.#lost ? this.#loss() : this.#refused(what, error))
        channel.stderr?.resume()
        resolve(new TunnelStream(channel, { whyEnded: () => (this.#lost ? this.#loss() : undefined) }))
      })
    })
    opening.then((stream) => (signal?.aborted ? stream.destroy() : undefined)).catch(() => undefined) // told below
    return untilAborted(opening, signal)
  }

  #loss(): AppError {
    return new AppError('tunnel-failed', `the SSH connection to ${this.name} broke`, {
      hint: 'look whether the SSH server still runs, and at the network on the way; then run the same command again',
    })
  }

  #refused(what: string, error: Error): AppError {
    return new AppError('tunnel-denied', `${this.name} does not lead to ${what}: ${messageOf(error)}`, {
      cause: error,
      hint: 'does the server listen there, as seen from the SSH server? AllowTcpForwarding, AllowStreamLocalForwarding and PermitOpen in its sshd_config must allow it',
    })
  }
}
