import { isIP } from 'node:net'
import { z } from 'zod'
import { type Role, role } from '../shapes/common.ts'
import { type PartResolver, type SecretSource, resolveSecret, secretFile, secretVariable } from './config-secret.ts'
import { timeLimit, timeLimitMs } from './value-types.ts'

const name = z.string().min(1)
const placeText = /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):([0-9]{1,5})$/
const network = z.string().refine(isNetwork, 'must be an address or a network such as 10.0.0.0/8')

const oidc = z.strictObject({
  name: name.describe('What the button says').optional(),
  issuer: z.url({ protocol: /^https?$/ }).describe('Where /.well-known/openid-configuration lies'),
  client_id: name.describe('As the provider knows pgrevive'),
  client_secret_env: secretVariable('the secret of that client'),
  client_secret_file: secretFile('the secret of that client'),
  role_claim: name.describe('The claim that names groups or roles (default: groups)').optional(),
  trust_email: z
    .boolean()
    .describe('Also take addresses that the provider does not call verified (email_verified) (default: false)')
    .optional(),
  roles: z
    .record(name, role)
    .describe('Which role each value of that claim gives: viewer, operator, admin; nobody else is let in')
    .optional(),
})

/** What stands under `service:`. */
export const service = z.strictObject({
  listen: z
    .string()
    .regex(placeText, 'must be host:port')
    .refine((text) => Number(placeText.exec(text)?.[2]) <= 65535, 'must have a port up to 65535')
    .describe('host:port of API and dashboard (default: 127.0.0.1:8432)')
    .optional(),
  url: z
    .url({ protocol: /^https?$/ })
    .describe('As people reach it, for links in alerts and for sign-in: https://pgrevive.example')
    .optional(),
  state: name
    .describe('The directory of what the service remembers (default: ~/.local/state/pgrevive/service)')
    .optional(),
  tls: z
    .strictObject({
      certificate_file: name.describe('The certificate and its chain, in PEM'),
      key_file: name.describe('Its key, in PEM'),
    })
    .describe('TLS without a proxy in front')
    .optional(),
  trusted_proxies: z
    .array(network)
    .describe(
      'Proxies whose X-Forwarded-For is believed; "url" says under which name they are reached, and whether by https',
    )
    .optional(),
  at_once: z.int().min(1).max(64).describe('Runs at the same time (default: 2)').optional(),
  at_once_per_server: z.int().min(1).max(64).describe('… that load the same server (default: 1)').optional(),
  stop_within: timeLimit
    .describe(
      'What runs get to finish at shutdown; then they are stopped, and begun again at the next start (default: 30s)',
    )
    .optional(),
  reach_private: z
    .array(name)
    .describe('Hosts and networks inside that webhooks and stores entered in the dashboard may reach: 10.1.0.0/16')
    .optional(),
  repository_directories: z
    .array(name)
    .describe(
      'Directories that repositories made in the dashboard may be in, beside that of this file; the first of all is made in the first of these',
    )
    .optional(),
  sign_in: z
    .strictObject({ oidc: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), oidc).optional() })
    .describe('Single sign-on beside local accounts')
    .optional(),
})

export interface ConfiguredOidc {
  readonly name: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: SecretSource | undefined
  readonly roleClaim: string
  readonly trustEmail: boolean
  /** By the values of the claim. */
  readonly roles: ReadonlyMap<string, Role>
}

/** How the service runs. */
export interface ConfiguredService {
  readonly listen: Place
  readonly url: string | undefined
  /** Absolute; undefined: the usual one. */
  readonly state: string | undefined
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | undefined
  readonly trustedProxies: readonly string[]
  readonly atOnce: number
  readonly atOncePerServer: number
  readonly stopWithinMs: number
  readonly reachPrivate: readonly string[]
  /** Absolute. */
  readonly repositoryDirectories: readonly string[]
  readonly oidc: ReadonlyMap<string, ConfiguredOidc>
}

export interface Place {
  readonly host: string
  readonly port: number
}

/** Undefined for what is not host:port. */
export function parsePlace(text: string): Place | undefined {
  const [, host, port] = placeText.exec(text) ?? []
  if (host === undefined || Number(port) > 65535) return undefined
  return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) }
}

const usualPlace = { host: '127.0.0.1', port: 8432 }

export function resolveService(entry: z.output<typeof service>, resolver: PartResolver): ConfiguredService {
  const path = ['service']
  const providers = Object.entries(entry.sign_in?.oidc ?? {}).map(([id, provider]): [string, ConfiguredOidc] => [
    id,
    {
      name: provider.name ?? id,
      issuer: provider.issuer,
      clientId: provider.client_id,
      clientSecret: resolveSecret('client_secret', provider, [...path, 'sign_in', 'oidc', id], resolver),
      roleClaim: provider.role_claim ?? 'groups',
      trustEmail: provider.trust_email ?? false,
      roles: new Map(Object.entries(provider.roles ?? {})),
    },
  ])
  return {
    listen: (entry.listen === undefined ? undefined : parsePlace(entry.listen)) ?? usualPlace,
    url: entry.url,
    state: entry.state === undefined ? undefined : resolver.path(entry.state, [...path, 'state']),
    tls: entry.tls && {
      certificateFile: resolver.path(entry.tls.certificate_file, [...path, 'tls', 'certificate_file']),
      keyFile: resolver.path(entry.tls.key_file, [...path, 'tls', 'key_file']),
    },
    trustedProxies: entry.trusted_proxies ?? [],
    atOnce: entry.at_once ?? 2,
    atOncePerServer: entry.at_once_per_server ?? 1,
    stopWithinMs: timeLimitMs(entry.stop_within ?? '30s'),
    reachPrivate: entry.reach_private ?? [],
    repositoryDirectories: (entry.repository_directories ?? []).map((directory, index) =>
      resolver.path(directory, [...path, 'repository_directories', String(index)]),
    ),
    oidc: new Map(providers),
  }
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
