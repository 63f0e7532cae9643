import { AsyncLocalStorage } from 'node:async_hooks'
import { NodeSqliteDialect } from '@better-auth/kysely-adapter/node-sqlite-dialect'
import { betterAuth } from 'better-auth'
import { APIError } from 'better-auth/api'
import { genericOAuth } from 'better-auth/plugins/generic-oauth'
import { twoFactor } from 'better-auth/plugins/two-factor'
import { ulid } from 'ulid'
import type { State } from '../../service/state/state.ts'
import type { role } from '../../shapes/common.ts'
import { z } from 'zod'
import type { Attempts } from './attempts.ts'
import { type OidcProvider, oidcConfig, roleOf } from './oidc.ts'

type Role = z.output<typeof role>

export const sessionMs = 7 * 24 * 3600 * 1000
/** After so long a session begins anew, in seconds. */
const renewedAfter = 3600
/** Set by us, whatever a request says: where it comes from. */
export const addressHeader = 'x-pgrevive-address'

export interface AuthOptions {
  readonly state: State
  readonly attempts: Attempts
  /** What cookies are signed with and second factors are sealed with. */
  readonly secret: string
  /** As people reach the service, without a path. */
  readonly url: string
  /** All origins that it has. */
  readonly origins: readonly string[]
  readonly oidc: readonly OidcProvider[]
  /** What better-auth wants to say. */
  readonly log: (text: string) => void
}

/** What a provider says of who is signing in just now. */
export interface Given {
  role?: Role
  email?: string | undefined
}
const givenNow = new AsyncLocalStorage<Given>()

/** Accounts, passwords, second factors and sessions. Only routes/sign-in.ts leads to it: most of what it offers is not reached. */
export function createAuth({ state, attempts, secret, url, origins, oidc, log }: AuthOptions) {
  return betterAuth({
    appName: 'pgrevive',
    baseURL: url,
    basePath: '/api/auth',
    secret,
    trustedOrigins: [...origins],
    telemetry: { enabled: false },
    logger: { level: 'warn', log: (level, message) => log(`${level}: ${message}`) },
    // Its transactions last while it waits, and whatever else the service writes meanwhile would be part of them.
    database: { dialect: new NodeSqliteDialect({ database: state.connection }), type: 'sqlite', transaction: false },
    emailAndPassword: { enabled: true, disableSignUp: true, minPasswordLength: 12, maxPasswordLength: 200 },
    rateLimit: { enabled: false }, // attempts.ts
    session: { expiresIn: sessionMs / 1000, updateAge: renewedAfter, cookieCache: { enabled: false } },
    user: {
      additionalFields: {
        // it is, but no provider may name it: givenNow does
        role: { type: 'string', required: false, input: false },
        disabled: { type: 'boolean', required: true, defaultValue: false, input: false },
        lastSeenAt: { type: 'date', required: false, input: false },
      },
      validateUserInfo: ({ user, source }) => {
        const provider = oidc.find(({ id }) => id === source.oauth?.providerId)
        const given = givenNow.getStore()
        if (given) given.email = user.email
        if (!provider?.trustEmail && user.emailVerified !== true) return { error: 'email_not_verified' }
        const role = provider && roleOf(provider, source.oauth?.profile ?? {})
        const id = source.action === 'sign-in' ? user.id : undefined
        if (!role) {
          if (id !== undefined) withdrawRole(state, id)
          return { error: 'no_role' }
        }
        if (given) given.role = role
        if (id !== undefined)
          state.change('update user set role = :role, roleWithdrawn = 0 where id = :id', { role, id })
        return undefined
      },
    },
    // Who has a local account signs in with it: a provider that lets people choose their address must not open it.
    account: { accountLinking: { enabled: false }, storeStateStrategy: 'database' },
    advanced: {
      cookiePrefix: 'pgrevive',
      useSecureCookies: url.startsWith('https:'),
      disableOriginCheck: false,
      disableCSRFCheck: false,
      ipAddress: { ipAddressHeaders: [addressHeader] },
      database: { generateId: () => ulid() },
    },
    databaseHooks: {
      user: {
        create: {
          before: async (user) => {
            const role = givenNow.getStore()?.role
            return role === undefined ? false : { data: { ...user, role, disabled: false } }
          },
        },
      },
      account: {
        // Nothing is asked of a provider after the sign-in.
        create: { before: async (account) => ({ data: { ...account, ...noTokens } }) },
        update: { before: async (account) => ({ data: { ...account, ...noTokens } }) },
      },
      session: {
        create: {
          before: async ({ userId }, context) => {
            if (isDisabled(state, userId)) {
              throw new APIError('FORBIDDEN', { code: 'disabled', message: 'this account is disabled' })
            }
            if (context?.path !== codePath || attempts.takeCode(userId, sentCode.parse(context.body).code)) return
            const message = 'this code was used already: sign in again, with the next one'
            throw new APIError('UNAUTHORIZED', { code: 'code_used', message })
          },
        },
      },
    },
    plugins: [twoFactor({ issuer: 'pgrevive' }), genericOAuth({ config: oidc.map(oidcConfig) })],
  })
}

export type Auth = ReturnType<typeof createAuth>

const codePath = '/two-factor/verify-totp'
const sentCode = z.object({ code: z.string() })

/** Hands a request over; the addresses that it names itself do not count. `given` takes what a provider says. */
export async function askAuth(auth: Auth, request: Request, address: string, given: Given = {}): Promise<Response> {
  const headers = new Headers(request.headers)
  headers.set(addressHeader, address)
  return givenNow.run(given, () => auth.handler(new Request(request, { headers })))
}

const noTokens = { accessToken: null, refreshToken: null, idToken: null }

/** What the last sign-in gave ends: nothing else says that somebody has left. */
function withdrawRole(state: State, id: string): void {
  state.change('update user set roleWithdrawn = 1 where id = :id', { id })
  state.change('delete from session where userId = :id', { id })
}

function isDisabled(state: State, id: string): boolean {
  const found = state.first(z.object({ disabled: z.number() }), 'select disabled from user where id = :id', { id })
  return found?.disabled !== 0
}
