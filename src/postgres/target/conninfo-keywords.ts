import { AppError } from '../../core/app-error.ts'

/** The keywords of libpq that a connection obeys, each with the environment variable that stands in for it. */
export const conninfoKeywords = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  service: 'PGSERVICE',
  servicefile: 'PGSERVICEFILE',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  fallback_application_name: undefined,
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: undefined,
  sslcrl: 'PGSSLCRL',
  sslsni: 'PGSSLSNI',
  sslcertmode: 'PGSSLCERTMODE',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  require_auth: 'PGREQUIREAUTH',
  gssencmode: 'PGGSSENCMODE',
  keepalives: undefined,
  keepalives_idle: undefined,
} as const satisfies Record<string, string | undefined>

export type ConninfoKeyword = keyof typeof conninfoKeywords

/** libpq knows these; they change nothing here, or nothing that matters: pgrevive sets the encoding of a session itself. */
const ignoredKeywords: ReadonlySet<string> = new Set([
  'client_encoding',
  'gssdelegation',
  'gsslib',
  'keepalives_count',
  'keepalives_interval',
  'krbsrvname',
  'max_protocol_version',
  'sslcompression',
  'tcp_user_timeout',
])

/** libpq knows these; obeying them half would be worse than refusing them. */
const refusedKeywords: ReadonlyMap<string, string | undefined> = new Map([
  ['min_protocol_version', 'PGMINPROTOCOLVERSION'],
  ['replication', undefined],
  ['requirepeer', 'PGREQUIREPEER'],
  ['scram_client_key', undefined],
  ['scram_server_key', undefined],
  ['sslcrldir', 'PGSSLCRLDIR'],
  ['sslkeylogfile', undefined],
])

/** The keyword if it is one to obey, undefined if it is one to pass over. Throws `connection-invalid` for any other. */
export function checkKeyword(name: string): ConninfoKeyword | undefined {
  if (isKeyword(name)) return name
  if (ignoredKeywords.has(name)) return undefined
  if (refusedKeywords.has(name)) throw unsupported(name)
  // A forgotten quote can make part of a password look like a keyword, so that only plausible names are shown.
  const shown = /^[a-z][a-z_]{0,30}$/i.test(name) ? `connection parameter "${name}"` : 'a connection parameter'
  throw new AppError('connection-invalid', `${shown} is unknown`, {
    hint: "remove it: only libpq's parameters are understood, and none of another driver",
  })
}

/** Throws `connection-invalid` if a variable asks for something that is refused. */
export function checkEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
  for (const variable of refusedKeywords.values()) {
    if (variable !== undefined && environment[variable]) throw unsupported(variable)
  }
}

function isKeyword(name: string): name is ConninfoKeyword {
  return Object.hasOwn(conninfoKeywords, name)
}

function unsupported(name: string): AppError {
  return new AppError('connection-invalid', `${name} is not supported`, { hint: `connect without ${name}` })
}
