import { access } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import type { ByteStream } from '../../core/byte-stream.ts'
import { checkEnvironment, conninfoKeywords, type ConninfoKeyword } from './conninfo-keywords.ts'
import { parseConninfo, type ConninfoSettings } from './conninfo.ts'
import { defaultSocketDirectories, readPasswordFile } from './pgpass.ts'
import { readService } from './service-file.ts'
import { checkChoice } from './setting-choice.ts'
import { resolveTlsTarget, type TlsTarget } from '../wire/tls-target.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A place where a server listens. */
export interface Host {
  /** A name, an address, or the directory of a Unix socket, which begins with "/". */
  readonly host: string
  readonly port: number
  /** Where to connect instead of looking `host` up; `host` still stands for certificates and passwords. */
  readonly address?: string
  /** Opens a stream to the server where no address leads there; `host` and `port` then only name it. */
  readonly connect?: (signal: AbortSignal | undefined) => Promise<ByteStream>
}

export type TargetSessionAttributes = (typeof sessionAttributes)[number]
export type AuthenticationMethod = (typeof authenticationMethods)[number]

/** Where and as whom to connect: fully resolved and frozen. Printing it in any way does not show a secret. */
export interface ConnectionTarget extends TlsTarget {
  /** In the order in which to try them; never empty. */
  readonly hosts: readonly Host[]
  readonly user: string
  readonly database: string
  /** The password for a host, from the settings or else from the password file, where `database` counts. */
  readonly password: (host: Host, database?: string) => string | undefined
  /** Why the password file was passed over, with the remedy, if it was. */
  readonly passwordFileIgnored?: string
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  /** The only ways to authenticate that are allowed; undefined allows all. */
  readonly requireAuth?: readonly AuthenticationMethod[]
  readonly options?: string
  readonly applicationName: string
  /** For each host; 30 s unless something else is set, and 0 waits for as long as the system does. */
  readonly connectTimeoutMs: number
  /** Idle time before keep-alive probes begin; 0 is the system's, undefined sends none. */
  readonly keepAliveMs: number | undefined
  readonly targetSessionAttrs: TargetSessionAttributes
  /** When nothing moves for this long, another session asks whether the server is still at work. */
  readonly stallCheckMs: number
}

const sessionAttributes = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const
const authenticationMethods = ['password', 'md5', 'gss', 'sspi', 'scram-sha-256', 'oauth', 'none'] as const
const keepAliveDefaultSeconds = '30'
/** libpq would wait for ever. */
const connectTimeoutDefaultSeconds = '30'
const stallCheckMs = 20_000

/**
 * Turns a connection string, as psql takes it, into a target by libpq's rules: what the string says counts before the
 * service file, and that before the environment. `~/.pgpass` and `~/.postgresql` are read now. Throws
 * `connection-invalid` if the settings can not be parsed or contradict each other.
 */
export async function resolveConnection(
  conninfo: string | undefined,
  options: { environment: Environment; homeDirectory?: string },
): Promise<ConnectionTarget> {
  const { environment } = options
  checkEnvironment(environment)
  const home = options.homeDirectory ?? (environment['HOME'] || homedir())
  const setting = await layerSettings(parseConninfo(conninfo ?? ''), environment, home)

  const user = setting('user') || systemUser()
  const database = setting('dbname') || user
  const secret = setting('password') || undefined
  const passwordFile =
    secret === undefined ? await readPasswordFile(setting('passfile') || join(home, '.pgpass')) : undefined
  const startupOptions = setting('options')
  const requireAuth = parseRequireAuth(setting('require_auth'))
  checkChoice('gssencmode', setting('gssencmode') || 'prefer', ['disable', 'prefer'])
  return Object.freeze({
    hosts: await resolveHosts(setting),
    user,
    database,
    password: (host: Host, name = database) =>
      secret ?? passwordFile?.find({ host: host.host, port: host.port, user, database: name }),
    ...(passwordFile?.ignored === undefined ? {} : { passwordFileIgnored: passwordFile.ignored }),
    ...(await resolveTlsTarget(setting, home)),
    channelBinding: checkChoice('channel_binding', setting('channel_binding') || 'prefer', [
      'disable',
      'prefer',
      'require',
    ]),
    ...(requireAuth === undefined ? {} : { requireAuth }),
    ...(startupOptions ? { options: startupOptions } : {}),
    applicationName: setting('application_name') || setting('fallback_application_name') || 'pgrevive',
    connectTimeoutMs:
      Math.max(0, parseInteger('connect_timeout', setting('connect_timeout') || connectTimeoutDefaultSeconds)) * 1000,
    keepAliveMs:
      setting('keepalives') === '0'
        ? undefined
        : parseInteger('keepalives_idle', setting('keepalives_idle') || keepAliveDefaultSeconds) * 1000,
    targetSessionAttrs: checkChoice(
      'target_session_attrs',
      setting('target_session_attrs') || 'any',
      sessionAttributes,
    ),
    stallCheckMs,
  })
}

/** The same server and user, another database: `database` is a name and is never parsed as a connection string. */
export function withDatabase(target: ConnectionTarget, database: string): ConnectionTarget {
  return Object.freeze({
    ...target,
    database,
    password: (host: Host, name = database) => target.password(host, name),
  })
}

/** `user@host:port/database`, without secrets. Names that could be misread are quoted as in JSON. */
export function describeTarget(target: ConnectionTarget): string {
  return `${quoteOdd(target.user)}@${target.hosts.map(describeHost).join(',')}/${quoteOdd(target.database)}`
}

/** `host:port`. */
export function describeHost({ host, port }: Host): string {
  return `${host.includes(':') ? `[${host}]` : quoteOdd(host)}:${port}`
}

/** A setting by its keyword; undefined if nothing sets it, and '' if something sets it to its default. */
type SettingLookup = (keyword: ConninfoKeyword) => string | undefined

async function layerSettings(
  explicit: ConninfoSettings,
  environment: Environment,
  home: string,
): Promise<SettingLookup> {
  const fromEnvironment = (keyword: ConninfoKeyword) => {
    const variable = conninfoKeywords[keyword]
    return variable === undefined ? undefined : environment[variable]
  }
  const either: SettingLookup = (keyword) => explicit.get(keyword) ?? fromEnvironment(keyword)
  const name = either('service')
  if (!name) return either
  const service = await readService(name, [
    either('servicefile') || join(home, '.pg_service.conf'),
    // Debian's packages look there; others are built with a directory that only pg_config knows.
    join(environment['PGSYSCONFDIR'] || '/etc/postgresql-common', 'pg_service.conf'),
  ])
  return (keyword) => explicit.get(keyword) ?? service.get(keyword) ?? fromEnvironment(keyword)
}

async function resolveHosts(setting: SettingLookup): Promise<readonly Host[]> {
  const list = (keyword: ConninfoKeyword) => (setting(keyword) || '').split(',').map((part) => part.trim())
  const [names, addresses, ports] = [list('host'), list('hostaddr'), list('port')]
  const count = Math.max(names.length, addresses.length)
  const fits = (items: readonly string[]) => items.length === count || (items.length === 1 && items[0] === '')
  if (!fits(names) || !fits(addresses) || (ports.length !== 1 && ports.length !== count)) {
    throw new AppError('connection-invalid', 'host, hostaddr and port do not name the same number of servers', {
      hint: 'give one port for all hosts, or as many as there are hosts',
    })
  }
  const hosts = await Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Host> => {
      const port = parsePort((ports.length === 1 ? ports[0] : ports[index]) || '5432')
      const address = addresses[index]
      if (address) return Object.freeze({ host: names[index] || address, port, address })
      return Object.freeze({ host: names[index] || (await defaultHost(port)), port })
    }),
  )
  const order = checkChoice('load_balance_hosts', setting('load_balance_hosts') || 'disable', ['disable', 'random'])
  return Object.freeze(order === 'random' ? shuffle(hosts) : hosts)
}

async function defaultHost(port: number): Promise<string> {
  for (const directory of defaultSocketDirectories) {
    const found = await access(socketPath(directory, port)).then(
      () => true,
      () => false,
    )
    if (found) return directory
  }
  return 'localhost'
}

/** The file of a server's Unix socket. */
export function socketPath(directory: string, port: number): string {
  return join(directory, `.s.PGSQL.${port}`)
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65_535) return port
  throw new AppError('connection-invalid', 'the port is not a number between 1 and 65535', {
    hint: 'check the connection string, the service file and PGPORT',
  })
}

function parseInteger(name: string, text: string): number {
  if (/^[+-]?\d{1,9}$/.test(text.trim())) return Number(text)
  throw new AppError('connection-invalid', `${name} is not a whole number`, { hint: 'give it in seconds' })
}

/** libpq's `require_auth`: a list of methods, or of methods with "!" before each. */
function parseRequireAuth(text: string | undefined): readonly AuthenticationMethod[] | undefined {
  if (!text) return undefined
  const parts = text.split(',').map((part) => part.trim())
  const negated = parts.filter((part) => part.startsWith('!'))
  if (negated.length > 0 && negated.length < parts.length) {
    throw new AppError('connection-invalid', 'require_auth mixes methods with and without "!"', {
      hint: 'name either the methods that are allowed or those that are not',
    })
  }
  const named = parts.map((part) => checkChoice('require_auth', part.replace(/^!/, ''), authenticationMethods))
  return negated.length > 0 ? authenticationMethods.filter((method) => !named.includes(method)) : named
}

function systemUser(): string {
  try {
    return userInfo().username
  } catch (error) {
    throw new AppError('connection-invalid', 'no user to connect as is given, and the system does not name one', {
      hint: 'set PGUSER or add user=… to the connection string',
      cause: error,
    })
  }
}

function shuffle<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

function quoteOdd(name: string): string {
  return /^[\w./-]+$/.test(name) ? name : JSON.stringify(name)
}
