import { Agent } from 'node:http'
import type { Duplex } from 'node:stream'
import { hasCode } from '../core/app-error.ts'
import type { SshTunnel } from '../ssh/ssh-tunnel.ts'

/** Requests to an engine on the other side of an SSH connection: to its socket, or as docker's own program does it. */
export class TunnelAgent extends Agent {
  readonly #tunnel: SshTunnel
  readonly #path: string

  constructor(tunnel: SshTunnel, path: string) {
    super()
    this.#tunnel = tunnel
    this.#path = path
  }

  override createConnection(_options: unknown, done?: (error: Error | null, stream: Duplex) => void): null {
    this.#connect().then(
      (stream) => done?.(null, stream),
      // the types know no failure without a stream
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    )
    return null
  }

  async #connect(): Promise<Duplex> {
    try {
      return await this.#tunnel.connectToSocket(this.#path)
    } catch (error) {
      // who may not forward may still run programs
      if (!hasCode(error, 'tunnel-denied')) throw error
      return this.#tunnel.run(`docker --host unix://${this.#path} system dial-stdio`)
    }
  }
}
