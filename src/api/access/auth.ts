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
import { type OidcProvider, oidcConfig, roleOf } from './oidc.ts'

type Role = z.output<typeof role>

export const sessionMs = 7 * 24 * 3600 * 1000
/** After so long a session begins anew, in seconds. */
const renewedAfter = 3600
/** Set by us, whatever a request says: where it comes from. */
export const addressHeader = 'x-pgrevive-address'

export interface AuthOptions {
  readonly state: State
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

/** The role that the provider's claims give who is signing in just now. */
const givenRole = new AsyncLocalStorage<{ role?: Role }>()

/** Accounts, passwords, second factors and sessions. Only routes/sign-in.ts leads to it: most of what it offers is not reached. */
export function createAuth({ state, secret, url, origins, oidc, log }: AuthOptions) {
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
        // it is, but no provider may name it: givenRole does
        role: { type: 'string', required: false, input: false },
        disabled: { type: 'boolean', required: true, defaultValue: false, input: false },
        lastSeenAt: { type: 'date', required: false, input: false },
      },
      validateUserInfo: ({ user, source }) => {
        const provider = oidc.find(({ id }) => id === source.oauth?.providerId)
        const role = provider && roleOf(provider, source.oauth?.profile ?? {})
        if (!role) return { error: 'no_role' }
        const given = givenRole.getStore()
        if (given) given.role = role
        if (source.action === 'sign-in' && user.id !== undefined) {
          state.change('update user set role = :role where id = :id', { role, id: user.id })
        }
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
            const role = givenRole.getStore()?.role
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
          before: async ({ userId }) => {
            if (!isDisabled(state, userId)) return
            throw new APIError('FORBIDDEN', { code: 'disabled', message: 'this account is disabled' })
          },
        },
      },
    },
    plugins: [twoFactor({ issuer: 'pgrevive' }), genericOAuth({ config: oidc.map(oidcConfig) })],
  })
}

export type Auth = ReturnType<typeof createAuth>

/** Hands a request over; the addresses that it names itself do not count. */
export async function askAuth(auth: Auth, request: Request, address: string): Promise<Response> {
  const headers = new Headers(request.headers)
  headers.set(addressHeader, address)
  return givenRole.run({}, () => auth.handler(new Request(request, { headers })))
}

const noTokens = { accessToken: null, refreshToken: null, idToken: null }

function isDisabled(state: State, id: string): boolean {
  const found = state.first(z.object({ disabled: z.number() }), 'select disabled from user where id = :id', { id })
  return found?.disabled !== 0
}
