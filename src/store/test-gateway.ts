import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

/**
 * `busy`: 503, as a load balancer says it. `cut`: the connection breaks in the middle of the answer's body. `stuck`: it
 * does not, and nothing more comes. `silent`: no answer ever comes. `lost`: the server does what it is asked for, and its answer gets lost. `garbled`: a bit of what is
 * sent is flipped on its way.
 */
export type Trouble = 'busy' | 'cut' | 'stuck' | 'silent' | 'lost' | 'garbled'

/** What stands between a client and a server of objects, and makes trouble when it is told to. */
export class TestGateway implements AsyncDisposable {
  /** What the next requests meet; those after them come through. */
  troubles: Trouble[] = []
  /** How many requests came. */
  requests = 0
  /** The same, by the method; S3's lists are told apart from other GETs. */
  readonly byMethod = new Map<string, number>()
  /** What the last one was. */
  last: Pick<IncomingMessage, 'method' | 'url' | 'headers'> | undefined
  readonly #server: Server
  readonly #backend: string
  #port = 0

  private constructor(server: Server, backend: string) {
    this.#server = server
    this.#backend = backend
  }

  static async start(backend: string): Promise<TestGateway> {
    const server = createServer()
    const gateway = new TestGateway(server, backend)
    server.on('request', (from, to) => {
      gateway.#pass(from, to).catch(() => to.destroy())
    })
    await gateway.listen()
    return gateway
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** At the port of the first time. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  /** Nobody is there any more. */
  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close()
  }

  async #pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    this.requests++
    const kind = from.url?.includes('list-type=2') ? 'LIST' : (from.method ?? '')
    this.byMethod.set(kind, (this.byMethod.get(kind) ?? 0) + 1)
    this.last = from
    const trouble = this.troubles.shift()
    const body = await buffer(from)
    if (trouble === 'silent') return
    if (trouble === 'busy') {
      to.writeHead(503, { 'content-type': 'text/html' }).end('<html><body>No server is available</body></html>')
      return
    }
    if (trouble === 'garbled' && body.length > 0)
      body.writeUInt8(body.readUInt8(body.length >> 1) ^ 1, body.length >> 1)
    const { method, headers } = from
    const forwarded = request(new URL(from.url ?? '/', this.#backend), { method: method ?? 'GET', headers })
    forwarded.end(body)
    const [answer]: IncomingMessage[] = await once(forwarded, 'response')
    if (!answer || trouble === 'lost') {
      answer?.resume()
      to.destroy()
      return
    }
    to.writeHead(answer.statusCode ?? 500, answer.rawHeaders)
    if (trouble === 'cut' || trouble === 'stuck') {
      const whole = await buffer(answer)
      to.write(whole.subarray(0, whole.length >> 1), () => trouble === 'cut' && to.destroy())
      return
    }
    await pipeline(answer, to)
  }
}
