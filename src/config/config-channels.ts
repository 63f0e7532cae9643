import { z } from 'zod'
import { severities } from '../shapes/alert.ts'
import {
  type PartResolver,
  type SecretSource,
  type TextSource,
  resolveSecret,
  resolveText,
  secretFile,
  secretVariable,
} from './config-secret.ts'

const name = z.string().min(1)
const httpUrl = z.url({ protocol: /^https?$/ })
const address = z.email()
const timeOfDay = z.string().regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'must be a time of the day such as 22:00')

const quiet = z
  .strictObject({
    from: timeOfDay.describe('22:00'),
    to: timeOfDay.describe('07:00'),
    time_zone: name.describe("Europe/Berlin (default: the machine's)").optional(),
    except_critical: z.boolean().describe('Critical ones are told all the same (default: false)').optional(),
  })
  .describe('When nothing is sent: what is still true at the end is told then')

const common = {
  least: z.enum(severities).describe('Nothing less severe: info, warning, critical (default: warning)').optional(),
  quiet: quiet.optional(),
}
const hookUrl = {
  url: httpUrl.optional(),
  url_env: secretVariable('the URL'),
  url_file: secretFile('the URL'),
}

/** How the connection to an SMTP server is kept private: TLS from the first byte, STARTTLS, or not at all. */
const smtpTls = ['direct', 'starttls', 'none'] as const

export const channel = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('email'),
    to: z.array(address).min(1).describe('To whom'),
    from: address.describe('From whom'),
    smtp: z.strictObject({
      host: name.describe('The SMTP server'),
      port: z.int().min(1).max(65535).describe('Its port (default: 587)').optional(),
      user: name.describe('Who logs in there').optional(),
      password_env: secretVariable('the password'),
      password_file: secretFile('the password'),
      tls: z
        .enum(smtpTls)
        .describe('direct, starttls, or none, which takes no user (default: direct at port 465, else starttls)')
        .optional(),
      ca_file: name.describe('Certificates to trust, in place of the usual').optional(),
    }),
    ...common,
  }),
  z.strictObject({ kind: z.literal('slack'), ...hookUrl, ...common }),
  z.strictObject({ kind: z.literal('discord'), ...hookUrl, ...common }),
  z.strictObject({
    kind: z.literal('telegram'),
    token_env: secretVariable("the bot's token"),
    token_file: secretFile("the bot's token"),
    chat_id: z.union([name, z.int()]).describe('Where to: a number, or @channel'),
    url: httpUrl.describe('Of another Bot API server (default: https://api.telegram.org)').optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('webhook'),
    ...hookUrl,
    secret_env: secretVariable('what the signature is made with'),
    secret_file: secretFile('what the signature is made with'),
    token_env: secretVariable('a bearer token'),
    token_file: secretFile('a bearer token'),
    template: z
      .record(z.string(), z.unknown())
      .describe('The JSON to send, with {{title}} and the like in its texts (default: all of the notice)')
      .optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('ntfy'),
    url: httpUrl.describe('The server (default: https://ntfy.sh)').optional(),
    topic: z
      .string()
      .regex(/^[-_A-Za-z0-9]{1,64}$/, 'must be letters, digits, "-" and "_"')
      .describe('The topic'),
    token_env: secretVariable('an access token'),
    token_file: secretFile('an access token'),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('pagerduty'),
    routing_key_env: secretVariable('the routing key'),
    routing_key_file: secretFile('the routing key'),
    url: httpUrl
      .describe('Another one that takes such events (default: https://events.pagerduty.com/v2/enqueue)')
      .optional(),
    ...common,
  }),
])
export type ChannelEntry = z.output<typeof channel>

export type ChannelTarget =
  | EmailTarget
  | { readonly kind: 'slack' | 'discord'; readonly url: TextSource }
  | { readonly kind: 'telegram'; readonly url: string; readonly token: SecretSource; readonly chatId: string | number }
  | WebhookTarget
  | { readonly kind: 'ntfy'; readonly url: string; readonly topic: string; readonly token: SecretSource | undefined }
  | { readonly kind: 'pagerduty'; readonly url: string; readonly routingKey: SecretSource }

export interface EmailTarget {
  readonly kind: 'email'
  readonly to: readonly string[]
  readonly from: string
  readonly smtp: {
    readonly host: string
    readonly port: number
    readonly user: string | undefined
    readonly password: SecretSource | undefined
    readonly tls: (typeof smtpTls)[number]
    readonly caFile: string | undefined
  }
}

export interface WebhookTarget {
  readonly kind: 'webhook'
  readonly url: TextSource
  /** What the signature is made with. */
  readonly secret: SecretSource | undefined
  readonly token: SecretSource | undefined
  readonly template: Readonly<Record<string, unknown>> | undefined
}

/** undefined where something is missing, which is noted as a problem. */
export function resolveTarget(
  entry: ChannelEntry,
  path: readonly string[],
  resolver: PartResolver,
): ChannelTarget | undefined {
  const secret = (key: string) => resolveSecret(key, entry, path, resolver)
  const required = <Source>(source: Source | undefined, keys: string): source is Source => {
    if (source === undefined) resolver.problems.push({ path, message: `${path.join('.')} needs ${keys}` })
    return source !== undefined
  }
  switch (entry.kind) {
    case 'email':
      return resolveEmail(entry, path, resolver)
    case 'slack':
    case 'discord': {
      const url = resolveText('url', entry, path, resolver)
      return required(url, 'url, url_env or url_file') ? { kind: entry.kind, url } : undefined
    }
    case 'telegram': {
      const token = secret('token')
      if (!required(token, 'token_env or token_file')) return undefined
      return { kind: 'telegram', url: entry.url ?? 'https://api.telegram.org', token, chatId: entry.chat_id }
    }
    case 'webhook': {
      const url = resolveText('url', entry, path, resolver)
      if (!required(url, 'url, url_env or url_file')) return undefined
      return { kind: 'webhook', url, secret: secret('secret'), token: secret('token'), template: entry.template }
    }
    case 'ntfy':
      return { kind: 'ntfy', url: entry.url ?? 'https://ntfy.sh', topic: entry.topic, token: secret('token') }
    case 'pagerduty': {
      const routingKey = secret('routing_key')
      if (!required(routingKey, 'routing_key_env or routing_key_file')) return undefined
      return { kind: 'pagerduty', url: entry.url ?? 'https://events.pagerduty.com/v2/enqueue', routingKey }
    }
  }
}

function resolveEmail(
  { to, from, smtp }: ChannelEntry & { kind: 'email' },
  above: readonly string[],
  resolver: PartResolver,
): EmailTarget {
  const path = [...above, 'smtp']
  const port = smtp.port ?? 587
  const tls = smtp.tls ?? (port === 465 ? 'direct' : 'starttls')
  const password = resolveSecret('password', smtp, path, resolver)
  if ((smtp.user === undefined) !== (password === undefined)) {
    resolver.problems.push({ path, message: `${path.join('.')}: a user and a password go together` })
  }
  if (tls === 'none' && smtp.user !== undefined) {
    resolver.problems.push({ path: [...path, 'tls'], message: 'without TLS the password could be read on its way' })
  }
  const caFile = smtp.ca_file === undefined ? undefined : resolver.path(smtp.ca_file, [...path, 'ca_file'])
  return { kind: 'email', to, from, smtp: { host: smtp.host, port, user: smtp.user, password, tls, caFile } }
}
