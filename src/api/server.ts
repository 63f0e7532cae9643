import { type ServerType, createAdaptorServer } from '@hono/node-server'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type Server as HttpsServer, createServer as createHttpsServer } from 'node:https'
import { fileURLToPath } from 'node:url'
import { AppError, messageOf } from '../core/app-error.ts'
import type { Clock } from '../service/clock.ts'
import type { State } from '../service/state/state.ts'
import { type AccessRoom, openAccess } from './access/open-access.ts'
import type { OidcProvider } from './access/oidc.ts'
import type { ApiLog } from './api-log.ts'
import { type ApiApp, createApp } from './app.ts'
import { type ListenSettings, type Places, placesOf, refuseOpen } from './places.ts'
import { accountRoutes } from './routes/accounts.ts'
import { descriptionRoute } from './routes/description.ts'
import { signInRoutes } from './routes/sign-in.ts'

export interface ServerOptions {
  readonly listen: ListenSettings
  readonly oidc: readonly OidcProvider[]
  readonly state: State
  readonly clock: Clock
  readonly log: ApiLog
  /** Of the dashboard that vite has built. */
  readonly pages?: string
}

const builtPages = fileURLToPath(new URL('../../dist/dashboard', import.meta.url))
const lookForCertificateMs = 60_000
/** What answers that are under way get at the end. */
const farewellMs = 2000

/** The service's API and dashboard, at an address. */
export class ApiServer implements AsyncDisposable {
  readonly app: ApiApp
  readonly room: AccessRoom
  readonly places: Places
  readonly #server: ServerType
  readonly #timer: Disposable | undefined

  private constructor(parts: {
    app: ApiApp
    room: AccessRoom
    places: Places
    server: ServerType
    timer?: Disposable
  }) {
    this.app = parts.app
    this.room = parts.room
    this.places = parts.places
    this.#server = parts.server
    this.#timer = parts.timer
  }

  /** Rejects with `config-invalid` for what should not be opened, and with `service-failed` if it can not listen. */
  static async open(options: ServerOptions): Promise<ApiServer> {
    const { listen, oidc, state, clock, log, pages = builtPages } = options
    const warning = refuseOpen(listen)
    if (warning !== undefined) log.warning(warning)
    // Its links and cookies name the port, which is known once it listens.
    const ready: { app?: ApiApp } = {}
    const server = createServer(
      listen,
      (request, env) => ready.app?.fetch(request, env) ?? new Response(null, { status: 503 }),
    )
    const port = await listenAt(server, listen)
    const places = placesOf(listen, port)
    const room = openAccess({
      state,
      clock,
      url: places.url,
      origins: [...places.origins],
      oidc,
      log: (text) => log.warning(`sign-in: ${text}`),
    })
    const app = (ready.app = createApp({
      room,
      places,
      trustedProxies: listen.trustedProxies,
      log,
      pages: { directory: pages },
      routes: [(to) => signInRoutes(to, room), (to) => accountRoutes(to, room), descriptionRoute],
    }))
    const timer = listen.tls && renewed(server, listen.tls, { clock, log })
    return new ApiServer({ app, room, places, server, ...(timer ? { timer } : {}) })
  }

  /** Where the first account is made; undefined once there is one. It works once, and for a day. */
  setupLink(): string | undefined {
    const token = this.room.users.firstAccountToken()
    return token === undefined ? undefined : `${this.places.url}/setup#${token}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    if ('closeAllConnections' in this.#server) {
      this.#server.closeIdleConnections()
      setTimeout(() => 'closeAllConnections' in this.#server && this.#server.closeAllConnections(), farewellMs).unref()
    }
    await closed
  }
}

type Fetch = Parameters<typeof createAdaptorServer>[0]['fetch']

function createServer({ tls }: ListenSettings, fetch: Fetch): ServerType {
  if (!tls) return createAdaptorServer({ fetch, createServer: createHttpServer })
  const serverOptions = { ...readCertificate(tls), minVersion: 'TLSv1.2' } as const
  return createAdaptorServer({ fetch, createServer: createHttpsServer, serverOptions })
}

async function listenAt(server: ServerType, { host, port }: ListenSettings): Promise<number> {
  try {
    server.listen(port, host.replace(/^\[|\]$/g, ''))
    await once(server, 'listening')
  } catch (cause) {
    throw new AppError('service-failed', `the service can not listen on ${host}:${port}: ${messageOf(cause)}`, {
      cause,
      hint: 'another program may listen there; "listen:" of "service:" in pgrevive.yaml takes another address or port',
    })
  }
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('a server listens nowhere')
  return address.port
}

type Certificate = NonNullable<ListenSettings['tls']>

function readCertificate({ certificateFile, keyFile }: Certificate): { cert: Buffer; key: Buffer } {
  try {
    return { cert: readFileSync(certificateFile), key: readFileSync(keyFile) }
  } catch (cause) {
    throw new AppError('config-invalid', `the certificate or its key can not be read: ${messageOf(cause)}`, {
      cause,
      hint: '"certificate_file:" and "key_file:" of "tls:" in pgrevive.yaml name them',
    })
  }
}

/** Looks every minute whether another certificate lies there; one that does not fit leaves the old one in use. */
function renewed(server: ServerType, tls: Certificate, { clock, log }: { clock: Clock; log: ApiLog }): Disposable {
  let known = stampOf(tls)
  return clock.every(lookForCertificateMs, () => {
    const now = stampOf(tls)
    if (now === known) return
    known = now
    try {
      if (isHttps(server)) server.setSecureContext(readCertificate(tls))
    } catch (error) {
      log.warning(`the new certificate is not used, the old one still is: ${messageOf(error)}`)
    }
  })
}

function isHttps(server: ServerType): server is HttpsServer {
  return 'setSecureContext' in server
}

function stampOf({ certificateFile, keyFile }: Certificate): string {
  const stamps = [certificateFile, keyFile].map((file) => statSync(file, { throwIfNoEntry: false }))
  return stamps.map((stats) => `${stats?.mtimeMs}:${stats?.size}:${stats?.ino}`).join(' ')
}
