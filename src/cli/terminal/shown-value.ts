import { type ContainerReference, isContainerUrl, parseContainerUrl } from '../../containers/container-reference.ts'
import { stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { parseConninfo } from '../../postgres/target/conninfo.ts'
import { conninfoKeywords, type ConninfoKeyword } from '../../postgres/target/conninfo-keywords.ts'
import { hasCode } from '../../core/app-error.ts'

/** What stands in the place of a value that is a secret, or that may hold one. */
export const masked = '********'

/** Keywords whose values are meant to be seen; of all others nobody knows what somebody put there. */
const shownKeywords: ReadonlySet<string> = new Set<ConninfoKeyword | 'name' | 'project'>([
  'application_name',
  'channel_binding',
  'connect_timeout',
  'dbname',
  'gssencmode',
  'host',
  'hostaddr',
  'load_balance_hosts',
  'name',
  'passfile',
  'port',
  'project',
  'require_auth',
  'service',
  'servicefile',
  'sslcert',
  'sslcertmode',
  'sslcrl',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'sslsni',
  'ssl_max_protocol_version',
  'ssl_min_protocol_version',
  'target_session_attrs',
  'user',
])

const shownVariables: ReadonlySet<string> = new Set([
  ...Object.entries(conninfoKeywords).flatMap(([keyword, name]) => (name && shownKeywords.has(keyword) ? [name] : [])),
  'AWS_CONFIG_FILE',
  'AWS_DEFAULT_REGION',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AZURE_STORAGE_ACCOUNT',
  'FORCE_COLOR',
  'NO_COLOR',
  'SSH_AUTH_SOCK',
  'XDG_CONFIG_HOME',
])

/** Names that something here, or a library, reads. */
const meaningful =
  /^(PG[A-Z_]+|PGREVIVE_[A-Z_]+|AWS_[A-Z0-9_]+|AZURE_[A-Z_]+|NO_COLOR|FORCE_COLOR|SSH_AUTH_SOCK|XDG_CONFIG_HOME)$/

export function isMeaningful(variable: string): boolean {
  return meaningful.test(variable)
}

/** A connection string as keywords, without what may be secret; a text that is none is not repeated. */
export function shownConninfo(conninfo: string): string {
  let settings: Iterable<readonly [keyword: string, value: string]>
  try {
    settings = isContainerUrl(conninfo) ? settingsOf(parseContainerUrl(conninfo)) : parseConninfo(conninfo)
  } catch (error) {
    if (!hasCode(error, 'connection-invalid')) throw error
    return `${masked} (no connection string)`
  }
  return Array.from(settings, ([keyword, value]) => {
    return `${keyword}=${shownKeywords.has(keyword) ? shownText(value) : masked}`
  }).join(' ')
}

function settingsOf({ in: place, user, password, database, settings }: ContainerReference): [string, string][] {
  const given = { user, password, dbname: database, ...Object.fromEntries(settings) }
  return [
    ...Object.entries(place).filter(([name]) => name !== 'kind'),
    ...Object.entries(given).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, value]],
    ),
  ]
}

/** The value of a variable of the environment. */
export async function shownVariable(name: string, value: string): Promise<string> {
  if (name.endsWith('_FILE')) return shownFile(value)
  return shownVariables.has(name) ? shownText(value) : masked
}

/** The name of a file that is there; what is no file may be a secret that was put in the wrong place. */
export async function shownFile(path: string): Promise<string> {
  return (await stat(path).catch(() => undefined)) ? path : `${masked} (no such file)`
}

/** A name, number, path or address. One with signs that URLs and passwords are made of is not shown. */
export function shownText(value: string): string {
  return /^[\w./,+~ -]*$/.test(value) || isIP(value) !== 0 ? value : masked
}
