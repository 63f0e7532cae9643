import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { SecureVersion } from 'node:tls'
import { AppError } from '../../core/app-error.ts'
import { checkChoice } from '../target/setting-choice.ts'
import type { ConninfoKeyword } from '../target/conninfo-keywords.ts'

export type SslMode = (typeof sslModes)[number]

/** The part of a connection target that is about TLS. Files are named, and read only when a connection is made. */
export interface TlsTarget {
  readonly sslmode: SslMode
  readonly sslNegotiation: 'postgres' | 'direct'
  /** A PEM file, or `system` for the authorities that the system trusts. */
  readonly sslrootcert?: string
  readonly sslcert?: string
  readonly sslkey?: string
  readonly sslcrl?: string
  /** The passphrase of the key. */
  readonly sslpassword: () => string | undefined
  /** Whether to name the server in the handshake. */
  readonly sslSni: boolean
  readonly sslMinVersion?: SecureVersion
  readonly sslMaxVersion?: SecureVersion
}

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
const tlsVersions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const

/** Follows libpq: files in `~/.postgresql` count where the settings name none, as far as they are there. */
export async function resolveTlsTarget(
  setting: (keyword: ConninfoKeyword) => string | undefined,
  home: string,
): Promise<TlsTarget> {
  const file = async (keyword: ConninfoKeyword, name: string) =>
    setting(keyword) || (await ifThere(join(home, '.postgresql', name)))
  const sslrootcert = await file('sslrootcert', 'root.crt')
  const sslcrl = await file('sslcrl', 'root.crl')
  const useCertificate = checkChoice('sslcertmode', setting('sslcertmode') || 'allow', ['disable', 'allow']) === 'allow'
  const sslcert = useCertificate ? await file('sslcert', 'postgresql.crt') : undefined
  const sslkey = sslcert === undefined ? undefined : setting('sslkey') || join(home, '.postgresql', 'postgresql.key')
  const passphrase = setting('sslpassword')
  const minVersion = setting('ssl_min_protocol_version')
  const maxVersion = setting('ssl_max_protocol_version')
  const target: TlsTarget = {
    sslmode: resolveMode(setting('sslmode'), sslrootcert),
    sslNegotiation: checkChoice('sslnegotiation', setting('sslnegotiation') || 'postgres', ['postgres', 'direct']),
    ...(sslrootcert === undefined ? {} : { sslrootcert }),
    ...(sslcert === undefined ? {} : { sslcert }),
    ...(sslkey === undefined ? {} : { sslkey }),
    ...(sslcrl === undefined ? {} : { sslcrl }),
    sslpassword: () => passphrase,
    sslSni: setting('sslsni') !== '0',
    ...(minVersion ? { sslMinVersion: checkChoice('ssl_min_protocol_version', minVersion, tlsVersions) } : {}),
    ...(maxVersion ? { sslMaxVersion: checkChoice('ssl_max_protocol_version', maxVersion, tlsVersions) } : {}),
  }
  if (target.sslNegotiation === 'direct' && ['disable', 'allow', 'prefer'].includes(target.sslmode)) {
    throw new AppError('connection-invalid', `sslmode "${target.sslmode}" does not fit sslnegotiation "direct"`, {
      hint: 'set sslmode to require, verify-ca or verify-full',
    })
  }
  return target
}

function resolveMode(text: string | undefined, rootCertificate: string | undefined): SslMode {
  const trustsSystem = rootCertificate === 'system'
  const mode = checkChoice('sslmode', text || (trustsSystem ? 'verify-full' : 'prefer'), sslModes)
  if (!trustsSystem || mode === 'verify-full') return mode
  throw new AppError('connection-invalid', `sslmode "${mode}" is too weak for sslrootcert=system`, {
    hint: 'set sslmode=verify-full: anybody can get a certificate from an authority that the system trusts',
  })
}

async function ifThere(path: string): Promise<string | undefined> {
  return access(path).then(
    () => path,
    () => undefined,
  )
}
