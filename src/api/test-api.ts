import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { createTemporaryDirectory } from '../core/temporary-directory.ts'
import type { Clock } from '../service/clock.ts'
import { Service } from '../service/service.ts'
import type { State } from '../service/state/state.ts'
import { me } from '../shapes/access.ts'
import type { RequestLine } from './api-log.ts'
import { describeApi } from './app.ts'
import { csrfHeader } from './guard.ts'
import { ApiServer } from './server.ts'
import { AnswerCheck } from './test-answer-check.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** Of JSON. */
  readonly body: unknown
}

export const goodPassword = 'a long enough password'

export interface TestApiOptions {
  /** Of pgrevive.yaml. */
  readonly config?: string
  /** What lies there, and is left there. */
  readonly directory?: string
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly clock?: Clock
}

/** How somebody gets here. */
export interface Way {
  /** The address that they come from: any of 127.0.0.0/8. */
  readonly from?: string
  /** Whose certificates they trust, in PEM: they come by TLS. */
  readonly ca?: string
}

type Parts = Pick<TestApi, 'server' | 'service' | 'directory' | 'lines' | 'bugs' | 'check'>

/** A service with a state of its own, and its API on loopback. */
export class TestApi implements AsyncDisposable {
  readonly server: ApiServer
  readonly service: Service
  readonly directory: string
  readonly lines: RequestLine[]
  readonly bugs: unknown[]
  readonly check: AnswerCheck
  readonly #resources: AsyncDisposableStack

  private constructor(parts: Parts, resources: AsyncDisposableStack) {
    this.server = parts.server
    this.service = parts.service
    this.directory = parts.directory
    this.lines = parts.lines
    this.bugs = parts.bugs
    this.check = parts.check
    this.#resources = resources
  }

  static async open(options: TestApiOptions = {}): Promise<TestApi> {
    await using resources = new AsyncDisposableStack()
    const directory = options.directory ?? resources.use(await createTemporaryDirectory('api')).path
    const configFile = join(directory, 'pgrevive.yaml')
    if (options.config !== undefined) await writeFile(configFile, options.config, { mode: 0o600 })
    const lines: RequestLine[] = []
    const bugs: unknown[] = []
    const service = await Service.open({
      configFile,
      environment: { PATH: process.env['PATH'], HOME: join(directory, 'home'), ...options.environment },
      homeDirectory: join(directory, 'home'),
      stateDirectory: join(directory, 'state'),
      tell: () => undefined,
      ...(options.clock && { clock: options.clock }),
    })
    resources.use(service)
    const server = resources.use(
      await ApiServer.open({
        service,
        listen: { host: '127.0.0.1', port: 0 },
        pages: join(directory, 'pages'),
        log: {
          request: (line) => void lines.push(line),
          warning: (message) => void lines.push({ ...noRequest, path: message }),
          bug: (bug) => {
            console.error(bug)
            bugs.push(bug)
          },
        },
      }),
    )
    const check = new AnswerCheck(describeApi(server.app))
    return new TestApi({ server, service, directory, lines, bugs, check }, resources.move())
  }

  get state(): State {
    return this.service.state
  }

  get url(): string {
    return this.server.places.url
  }

  client(way: Way = {}): TestClient {
    return new TestClient(this, way)
  }

  /** Somebody with this role, signed in. */
  async person(
    role: 'viewer' | 'operator' | 'admin',
    email = `${role}@example.com`,
    way: Way = {},
  ): Promise<TestClient> {
    const { users } = this.server.room
    const { token } = users.invite({ name: role, email, role })
    await users.acceptInvitation({ token, password: goodPassword })
    const client = this.client(way)
    const { status } = await client.signIn(email, goodPassword)
    assert.equal(status, 200)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
    // last: a test that fails must not leave anything running
    assert.deepEqual(this.bugs, [], 'nothing failed in a way that nobody expected')
  }
}

const noRequest = { method: '', status: 0, tookMs: 0, address: '', by: undefined }

/** A browser, as far as cookies, the CSRF header and the origin go. */
export class TestClient {
  readonly cookies = new Map<string, string>()
  csrf: string | undefined
  readonly #api: TestApi
  readonly #way: Way

  constructor(api: TestApi, way: Way) {
    this.#api = api
    this.#way = way
  }

  /** Every answer is checked against the description. `headers` count more; undefined removes one. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Answer> {
    const response = await this.send(method, path, body, headers)
    this.#keep(response.headers['set-cookie'] ?? [])
    const answer = { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) }
    const isJson = answer.headers['content-type']?.startsWith('application/json') === true
    const parsed: unknown = isJson ? JSON.parse(answer.text) : undefined
    this.#api.check.check(method, path, { ...answer, body: parsed })
    return { ...answer, body: parsed }
  }

  /** The answer as it comes, of which more may follow. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<IncomingMessage> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const all = {
      origin: this.#api.url,
      host: new URL(this.#api.url).host,
      ...(cookie === '' ? {} : { cookie }),
      ...(this.csrf === undefined ? {} : { [csrfHeader]: this.csrf }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    }
    const given = Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    )
    const { from, ca } = this.#way
    const { port } = this.#api.server.places
    const options = { host: '127.0.0.1', port, method, headers: given, path, ...(from && { localAddress: from }) }
    const sent = ca === undefined ? request(options) : requestTls({ ...options, ca, agent: false })
    sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
    const [response] = z.tuple([z.custom<IncomingMessage>()]).parse(await once(sent, 'response'))
    return response
  }

  async signIn(email: string, password: string): Promise<Answer> {
    const answer = await this.ask('POST', '/api/auth/sign-in/email', { email, password })
    await this.whoAmI()
    return answer
  }

  /** And takes the CSRF token from there. */
  async whoAmI(): Promise<z.output<typeof me>> {
    const found = me.parse((await this.ask('GET', '/api/me')).body)
    this.csrf = found.csrf ?? undefined
    return found
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }
}

/** The code of a problem. */
export function codeOf({ body }: Answer): string {
  return z.object({ error: z.object({ code: z.string() }) }).parse(body).error.code
}
