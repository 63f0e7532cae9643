import type { GenericOAuthConfig } from 'better-auth/plugins/generic-oauth'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { type role, roles } from '../../shapes/common.ts'

type Role = z.output<typeof role>

/** Of "sign_in: oidc:" in pgrevive.yaml. */
export interface OidcProvider {
  /** As pgrevive.yaml calls it; part of the address that the provider sends people back to. */
  readonly id: string
  readonly name: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Whose values say what somebody may do: a text or a list of texts. */
  readonly roleClaim: string
  /** Also of addresses that the provider does not call verified: it alone decides which ones people have. */
  readonly trustEmail: boolean
  readonly roles: ReadonlyMap<string, Role>
}

const answerWithinMs = 10_000
const text = z.string()
const claim = z.union([text.transform((one) => [one]), z.array(z.unknown())])
const profile = z.looseObject({
  sub: text,
  email: z.email().max(200),
  email_verified: z.union([z.boolean(), text]).optional(),
})

/** The highest role that any value of the claim has; undefined for nobody's. */
export function roleOf(
  { roleClaim, roles: map }: OidcProvider,
  claims: Readonly<Record<string, unknown>>,
): Role | undefined {
  const values = claim.safeParse(claims[roleClaim])
  const given = (values.data ?? []).flatMap((value) => (typeof value === 'string' ? [map.get(value)] : []))
  const [highest] = given.flatMap((one) => one ?? []).toSorted((a, b) => roles[b].length - roles[a].length)
  return highest
}

/** With PKCE, a nonce, and an ID token that is verified: its signature, issuer, audience and time. */
export function oidcConfig(provider: OidcProvider): GenericOAuthConfig {
  const discoveryUrl = `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  return {
    providerId: provider.id,
    name: provider.name,
    discoveryUrl,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    scopes: ['openid', 'email', 'profile', ...(provider.roleClaim === 'groups' ? ['groups'] : [])],
    pkce: true,
    requireIdTokenVerification: true,
    getUserInfo: async ({ idToken, accessToken }) => {
      // Without one nothing binds the answer to the question; better-auth has verified it when it is there.
      if (idToken === undefined) return null
      const claims = claimsOf(idToken)
      if (claims['iss'] !== provider.issuer) return null
      const isWhole = profile.safeParse(claims).success && claims[provider.roleClaim] !== undefined
      const more = isWhole || accessToken === undefined ? {} : await readUserInfo(discoveryUrl, accessToken)
      if (more['sub'] !== undefined && more['sub'] !== claims['sub']) return null
      const { data } = profile.safeParse({ ...more, ...claims })
      if (!data) return null
      const isVerified = data.email_verified === true || data.email_verified === 'true'
      return { ...data, id: data.sub, emailVerified: isVerified, name: nameOf(data) }
    },
  }
}

function claimsOf(idToken: string): Record<string, unknown> {
  const [, payload = ''] = idToken.split('.')
  return z.record(z.string(), z.unknown()).parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
}

async function readUserInfo(discoveryUrl: string, accessToken: string): Promise<Record<string, unknown>> {
  const { userinfo_endpoint } = z
    .looseObject({ userinfo_endpoint: z.url().optional() })
    .parse(await readJson(discoveryUrl, {}))
  if (userinfo_endpoint === undefined) return {}
  return readJson(userinfo_endpoint, { Authorization: `Bearer ${accessToken}` })
}

async function readJson(url: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(answerWithinMs), redirect: 'error' })
  if (!response.ok) {
    throw new AppError('sign-in-failed', `the identity provider answered with status ${response.status}`)
  }
  return z.record(z.string(), z.unknown()).parse(await response.json())
}

function nameOf(claims: z.output<typeof profile>): string {
  const name = claims['name'] ?? claims['preferred_username']
  return typeof name === 'string' && name !== '' ? name : claims.email
}
