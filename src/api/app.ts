import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { AppError } from '../core/app-error.ts'
import { version } from '../core/tool-version.ts'
import type { AccessRoom } from './access/open-access.ts'
import { Addresses } from './access/address.ts'
import type { ApiLog } from './api-log.ts'
import { type ApiEnv, type Definition, definitionsOf, guard } from './guard.ts'
import type { Places } from './places.ts'
import { failureOf, invalid, tooLarge } from './problem.ts'
import { type PagesOptions, servePages } from './pages.ts'

export type ApiApp = OpenAPIHono<ApiEnv>

export interface AppOptions {
  readonly room: AccessRoom
  readonly places: Places
  readonly trustedProxies: readonly string[]
  readonly log: ApiLog
  readonly pages: PagesOptions
  /** Adds the routes of each area. */
  readonly routes: readonly ((app: ApiApp) => void)[]
}

/** The settings text is the largest thing that anybody sends. */
const largestBody = 2 * 1024 * 1024
const largestHere = 64 * 1024

/** The API and the pages of the dashboard, as one function from request to answer. */
export function createApp({ room, places, trustedProxies, log, pages, routes }: AppOptions): ApiApp {
  const app: ApiApp = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error.issues)
    },
  })
  const addresses = new Addresses(trustedProxies)
  const isHttps = places.url.startsWith('https:')

  app.use('*', async (c, next) => {
    const began = performance.now()
    c.set('address', addresses.of(c.env?.incoming?.socket.remoteAddress, c.req.header('x-forwarded-for')))
    await next()
    const { headers } = c.res
    for (const [name, value] of Object.entries(safeHeaders)) if (!headers.has(name)) headers.set(name, value)
    if (isHttps) headers.set('strict-transport-security', 'max-age=31536000')
    log.request({
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      tookMs: Math.round(performance.now() - began),
      address: c.var.address,
      by: c.var.who?.name,
    })
  })
  app.use('*', async (c, next) => {
    const host = c.req.header('host') ?? ''
    // A token is sent by a program that knows what it does; a browser never sends one by itself.
    const isOurs = places.hosts.has(host.toLowerCase()) || c.req.header('authorization') !== undefined
    if (!isOurs && !['/healthz', '/readyz'].includes(c.req.path)) {
      throw new AppError('access-denied', `this service is not known as "${host}"`, {
        hint: `it is reached at ${places.url}; "url:" of "service:" in pgrevive.yaml changes that`,
      })
    }
    await next()
  })
  app.use('*', (c, next) => {
    const maxSize = c.req.path.startsWith('/api/settings') ? largestBody : largestHere
    return bodyLimit({ maxSize, onError: () => Promise.reject(tooLarge()) })(c, next)
  })
  const definitions = remembered(() => definitionsOf(app.openAPIRegistry.definitions))
  const guarded = guard(room, places.origins, definitions)
  app.use('/api/*', guarded)
  app.use('/metrics', guarded)
  app.onError((error, c) => {
    const { status, problem, bug } = failureOf(error)
    if (bug !== undefined) log.bug(bug)
    return c.json(problem, status)
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' })
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: 'pgrevive.session_token',
    description:
      'Behind https its name begins with __Secure-. What changes something also needs x-pgrevive-csrf, as GET /api/me gives it.',
  })
  for (const add of routes) add(app)
  app.notFound((c) => {
    const missing = new AppError('not-found', 'there is nothing here')
    return c.json(failureOf(missing).problem, 404)
  })
  servePages(app, pages)
  return app
}

/** For whoever wants to know what the API can do, without asking it. */
export function describeApi(app: ApiApp): ReturnType<ApiApp['getOpenAPI31Document']> {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'pgrevive',
      version,
      description: 'What the dashboard and "pgrevive --server URL" use. docs/api.md tells how to begin.',
      license: { name: 'MIT' },
    },
    servers: [{ url: '/' }],
  })
}

/** Of what browsers may do with any answer; pages.ts says more of its own. */
const safeHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
}

function remembered(read: () => ReadonlyMap<string, Definition>): () => ReadonlyMap<string, Definition> {
  let known: ReadonlyMap<string, Definition> | undefined
  return () => (known ??= read())
}
