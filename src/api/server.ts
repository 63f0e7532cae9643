import { type ServerType, createAdaptorServer } from '@hono/node-server'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { AppError, messageOf } from '../core/app-error.ts'
import type { ConfiguredService } from '../config/config-service.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import { readText } from '../service/alerts/channels/secret-text.ts'
import { type AccessRoom, openAccess } from './access/open-access.ts'
import type { OidcProvider } from './access/oidc.ts'
import type { ApiLog } from './api-log.ts'
import { type ApiApp, createApp } from './app.ts'
import { builtPages } from './built-pages.ts'
import { readCertificate, renewCertificate } from './certificate.ts'
import { type ListenSettings, type Places, placesOf, refuseOpen } from './places.ts'
import type { ApiRoom } from './api-room.ts'
import { openRoom } from './open-room.ts'
import type { ApiService } from './api-service.ts'
import { accountRoutes } from './routes/accounts.ts'
import { alertRoutes } from './routes/alerts.ts'
import { backupRoutes } from './routes/backups.ts'
import { databaseRoutes } from './routes/databases.ts'
import { descriptionRoute } from './routes/description.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { overviewRoute } from './routes/overview.ts'
import { repositoryRoutes } from './routes/repositories.ts'
import { runRoutes } from './routes/runs.ts'
import { scheduleRoutes } from './routes/schedules.ts'
import { settingsRoutes } from './routes/settings.ts'
import { signInRoutes } from './routes/sign-in.ts'

export interface ServerOptions {
  readonly service: ApiService
  /** In place of "listen:" of pgrevive.yaml. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined
  readonly log: ApiLog
  /** Of the dashboard that vite has built. */
  readonly pages?: string
}

/** What answers that are under way get at the end. */
const farewellMs = 2000

/** The service's API and dashboard, at an address. */
export class ApiServer implements AsyncDisposable {
  readonly app: ApiApp
  readonly room: AccessRoom
  readonly places: Places
  readonly #resources: AsyncDisposableStack

  private constructor(parts: Pick<ApiServer, 'app' | 'room' | 'places'>, resources: AsyncDisposableStack) {
    this.app = parts.app
    this.room = parts.room
    this.places = parts.places
    this.#resources = resources
  }

  /** Rejects with `config-invalid` for what should not be opened, and with `service-failed` if it can not listen. */
  static async open({ service, listen: place, log, pages = builtPages }: ServerOptions): Promise<ApiServer> {
    const { config, clock, state } = service
    const { url, tls, trustedProxies } = config.service
    const listen: ListenSettings = { ...config.service.listen, ...place, url, tls, trustedProxies }
    const warning = refuseOpen(listen)
    if (warning !== undefined) log.warning(warning)
    const oidc = await readProviders(config.service, service.options.environment)

    await using resources = new AsyncDisposableStack()
    // Its links and cookies name the port, which is known once it listens.
    const ready: { app?: ApiApp } = {}
    const server = createServer(
      listen,
      (request, env) => ready.app?.fetch(request, env) ?? new Response(null, { status: 503 }),
    )
    const port = await listenAt(server, listen)
    resources.defer(() => endServer(server))
    const places = placesOf(listen, port)
    const room = openAccess({
      state,
      clock,
      url: places.url,
      origins: [...places.origins],
      oidc,
      log: (text) => log.warning(`sign-in: ${text}`),
    })
    const closing = new AbortController()
    const api = openRoom(service, room, closing.signal)
    resources.use(api.ask)
    resources.defer(() => closing.abort())
    const app = (ready.app = createApp({
      room,
      places,
      trustedProxies: listen.trustedProxies,
      log,
      pages: { directory: pages },
      routes: routesOf(api),
    }))
    if (listen.tls) resources.use(renewCertificate(server, listen.tls, { clock, log }))
    return new ApiServer({ app, room, places }, resources.move())
  }

  /** Where the first account is made; undefined once there is one. It works once, and for a day. */
  setupLink(): string | undefined {
    const token = this.room.users.firstAccountToken()
    return token === undefined ? undefined : `${this.places.url}/setup#${token}`
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync()
  }
}

/** Every area of the API. */
export function routesOf(api: ApiRoom): ((app: ApiApp) => void)[] {
  const { access, service } = api
  return [
    (app) => signInRoutes(app, access),
    (app) => accountRoutes(app, access),
    (app) => overviewRoute(app, api),
    (app) => databaseRoutes(app, api),
    (app) => backupRoutes(app, api),
    (app) => runRoutes(app, api),
    (app) => eventRoutes(app, api),
    (app) => scheduleRoutes(app, api),
    (app) => repositoryRoutes(app, api),
    (app) => alertRoutes(app, api),
    (app) => settingsRoutes(app, api),
    (app) => healthRoutes(app, service),
    descriptionRoute,
  ]
}

async function endServer(server: ServerType): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  if (!('closeAllConnections' in server)) return void (await closed)
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), farewellMs)
  await closed
  clearTimeout(timer)
}

async function readProviders({ oidc }: ConfiguredService, environment: Environment): Promise<OidcProvider[]> {
  return Promise.all(
    [...oidc].map(async ([id, { clientSecret, ...provider }]) => {
      if (clientSecret) return { ...provider, id, clientSecret: await readText(clientSecret, environment) }
      throw new AppError('config-invalid', `the provider "${id}" of "sign_in:" has no client_secret_env or _file`)
    }),
  )
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
