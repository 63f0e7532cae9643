import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { z } from 'zod'
import { AppError, messageOf } from '../core/app-error.ts'
import { type Scope, scope } from '../shapes/common.ts'
import type { AccessRoom } from './access/open-access.ts'
import { isSame } from './access/secrets.ts'
import type { Who } from './access/who.ts'
import { asking } from './asking/ask.ts'
import { accessField, auditedField } from './route.ts'

export interface ApiEnv {
  Bindings: HttpBindings
  Variables: {
    /** Undefined where anyone may ask, and nobody is signed in. */
    who: Who | undefined
    /** Where the request comes from. */
    address: string
    /** What it is about, for the audit log, where the path does not say it. */
    subject: string | undefined
    /** Whom it claims to come from, for the audit log, while nobody is signed in. */
    claimed: string | undefined
  }
}
export type ApiContext = Context<ApiEnv>

export const csrfHeader = 'x-pgrevive-csrf'

const definition = z.object({
  method: z.string(),
  path: z.string(),
  operationId: z.string(),
  security: z.array(z.looseObject({ token: z.unknown().optional() })),
  [accessField]: z.union([scope, z.enum(['signed-in', 'anyone'])]),
  [auditedField]: z.boolean().optional(),
})
export type Definition = z.output<typeof definition>

/** What the description says of each route, by its method and path as the router has them. */
export function definitionsOf(routes: readonly { type: string; route?: unknown }[]): ReadonlyMap<string, Definition> {
  const found = routes.filter(({ type }) => type === 'route').map(({ route }) => definition.parse(route))
  return new Map(found.map((one) => [`${one.method.toUpperCase()} ${one.path.replaceAll(/{(.+?)}/g, ':$1')}`, one]))
}

/** The one way in: who asks, whether they may, and what is kept of it. What has no definition is not there. */
export function guard(
  room: AccessRoom,
  origins: ReadonlySet<string>,
  definitions: () => ReadonlyMap<string, Definition>,
) {
  const middleware: MiddlewareHandler<ApiEnv> = async (c, next) => {
    const known = definitions()
    const asked = matchedRoutes(c).flatMap(({ method, path }) => known.get(`${method} ${path}`) ?? [])[0]
    if (!asked)
      throw new AppError('not-found', 'the API has nothing here', { hint: '/api/openapi.json lists all that it has' })
    const { who, badToken, cookies } = await room.doorman.identify(c.req.raw.headers, c.var.address)
    for (const cookie of cookies) c.header('set-cookie', cookie, { append: true })
    c.set('who', who)
    const refusal = refusalOf(asked, c, { who, badToken, origins })
    if (refusal) {
      if (badToken) room.attempts.badToken(c.var.address)
      if (who || badToken) keep(room, asked, c, refusal)
      throw refusal
    }
    await asking.run(who?.user ?? '', next)
    const refused = c.error instanceof AppError && ['access-denied', 'change-refused'].includes(c.error.code)
    const isKept = asked[auditedField] ?? asked.method !== 'get'
    if (isKept || refused) keep(room, asked, c, c.error)
  }
  return middleware
}

function refusalOf(
  asked: Definition,
  c: ApiContext,
  { who, badToken, origins }: { who: Who | undefined; badToken: boolean; origins: ReadonlySet<string> },
): AppError | undefined {
  if (badToken) return signInNeeded('the token is not known, has expired, or was revoked')
  const access = asked[accessField]
  if (asked.method !== 'get') {
    const foreign = foreignOf(c, origins, who)
    if (foreign) return foreign
  }
  if (access === 'anyone') return undefined
  if (!who) return signInNeeded('nobody is signed in')
  if (!who.session && !asked.security.some((way) => 'token' in way)) {
    return new AppError('access-denied', 'no token does this', { hint: 'sign in at a browser for it' })
  }
  return access === 'signed-in' ? undefined : lackOf(who, [access], 'this')
}

/** For a route whose needs depend on what is asked for. Throws `access-denied`. */
export function demandScopes(who: Who, scopes: readonly Scope[], what: string): void {
  const lack = lackOf(who, scopes, what)
  if (lack) throw lack
}

function lackOf(who: Who, scopes: readonly Scope[], what: string): AppError | undefined {
  const lacking = scopes.find((scope) => !who.scopes.has(scope))
  if (lacking === undefined) return undefined
  return new AppError('access-denied', `${what} needs the scope "${lacking}"`, {
    hint: who.session ? 'an admin can change your role' : 'make a token that has it',
  })
}

/** A change that a page of somebody else may have sent off: cookies come along with it, but neither header does. */
function foreignOf(c: ApiContext, origins: ReadonlySet<string>, who: Who | undefined): AppError | undefined {
  const origin = c.req.header('origin')
  const site = c.req.header('sec-fetch-site')
  const isForeign = origin === undefined ? site !== undefined && site !== 'same-origin' : !origins.has(origin)
  const isNamed = origin !== undefined || site !== undefined
  if (isForeign || (who?.session && !isNamed)) {
    return new AppError('access-denied', 'the request does not come from a page of this service', {
      hint: '"url:" of "service:" in pgrevive.yaml must be the address that the browser shows',
    })
  }
  if (!who?.session || isSame(c.req.header(csrfHeader) ?? '', who.session.csrf)) return undefined
  return new AppError('access-denied', `the request lacks the right ${csrfHeader} header`, {
    hint: 'GET /api/me says what to send; reload the page',
  })
}

function signInNeeded(message: string): AppError {
  return new AppError('sign-in-needed', message, { hint: 'sign in, or send "Authorization: Bearer pgrevive_…"' })
}

function keep(room: AccessRoom, asked: Definition, c: ApiContext, error: Error | undefined): void {
  const { who, address, subject, claimed } = c.var
  const refusals = ['access-denied', 'change-refused', 'sign-in-needed', 'sign-in-failed', 'tries-exhausted']
  const isRefused = error instanceof AppError && refusals.includes(error.code)
  if (!who && error && !(isRefused && room.attempts.mayKeep(address))) return
  // whoever goes to another page does not wait for the answer, which is no failure
  const isLeft = !isRefused && asked.method === 'get' && c.req.raw.signal.aborted
  room.audit.write({
    by: who?.name ?? claimed ?? null,
    from: address,
    act: asked.operationId,
    subject: (subject ?? Object.values(c.req.param()).join(' ')) || null,
    ...(error === undefined
      ? { outcome: 'done', detail: null }
      : isLeft
        ? { outcome: 'done', detail: 'nobody waited for the answer' }
        : {
            outcome: isRefused ? 'refused' : 'failed',
            detail: error instanceof AppError ? messageOf(error) : 'the service failed',
          }),
  })
}

/** Of a route that only the signed in reach. */
export function whoOf(c: ApiContext): Who {
  if (c.var.who) return c.var.who
  throw signInNeeded('nobody is signed in')
}
