import { once } from 'node:events'
import { type Server, type Socket, connect, createServer } from 'node:net'
import { type ConnectionTarget, type Host, socketPath } from '../target/connection-target.ts'

const directions = ['to the server', 'to the client'] as const
export type Direction = (typeof directions)[number]

interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly stalled: Set<Direction>
}

/** A network between pgrevive and a server that can lose everything without closing a connection. */
export class TestProxy implements AsyncDisposable {
  /** Connections that come from now on are accepted, and hear nothing. */
  stallsNew = false
  readonly #listening: Server
  readonly #pairs = new Set<Pair>()

  private constructor(listening: Server) {
    this.#listening = listening
  }

  static async start({ host, port }: Host): Promise<TestProxy> {
    const listening = createServer()
    const proxy = new TestProxy(listening)
    listening.on('connection', (client) => proxy.#accept(client, connect(socketPath(host, port))))
    listening.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    return proxy
  }

  /** The same target by way of the proxy, with little patience. */
  reach(target: ConnectionTarget): ConnectionTarget {
    const address = this.#listening.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    const [direct] = target.hosts
    const password = () => direct && target.password(direct)
    return { ...target, hosts: [{ host: '127.0.0.1', port: address.port }], password, stallCheckMs: 400 }
  }

  /** Nothing more comes through on the connections that there are, or in one direction of them. */
  stall(...which: readonly Direction[]): void {
    for (const pair of this.#pairs) {
      for (const direction of which.length === 0 ? directions : which) pair.stalled.add(direction)
      update(pair)
    }
  }

  /** The connections that there are break. */
  cut(): void {
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening.close()
    this.cut()
    await once(this.#listening, 'close')
  }

  #accept(client: Socket, server: Socket): void {
    const pair = { client, server, stalled: new Set(this.stallsNew ? directions : []) }
    this.#pairs.add(pair)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause()
      })
      to.on('drain', () => update(pair))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroy()
        this.#pairs.delete(pair)
      })
    }
    update(pair)
  }
}

function update({ client, server, stalled }: Pair): void {
  if (stalled.has('to the server')) client.pause()
  else client.resume()
  if (stalled.has('to the client')) server.pause()
  else server.resume()
}
