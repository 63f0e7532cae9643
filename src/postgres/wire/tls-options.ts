import { readFile, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type ConnectionOptions,
  type SecureContext,
} from 'node:tls'
import { AppError, messageOf } from '../../core/app-error.ts'
import type { Host } from '../target/connection-target.ts'
import type { TlsTarget } from './tls-target.ts'

/**
 * Node's options for TLS with a host, by libpq's rules: any sslmode verifies the chain if there is a root certificate,
 * and verify-full the host's name too. Reads the files. Throws `connection-invalid` if one can not be used: that must
 * not look like a server without TLS, after which sslmode=prefer goes on without.
 */
export async function readTlsOptions(target: TlsTarget, host: Host): Promise<ConnectionOptions> {
  const { sslmode, sslrootcert } = target
  if (sslrootcert === undefined && sslmode.startsWith('verify-')) {
    throw new AppError('connection-invalid', `sslmode ${sslmode} needs a root certificate, and there is none`, {
      hint: 'set sslrootcert to a file or to system, or put it at ~/.postgresql/root.crt',
    })
  }
  return {
    host: host.host,
    ...(target.sslSni && isIP(host.host) === 0 ? { servername: host.host } : {}),
    rejectUnauthorized: sslrootcert !== undefined,
    checkServerIdentity: (_, certificate) =>
      sslmode === 'verify-full' ? checkServerIdentity(host.host, certificate) : undefined,
    secureContext: await readSecureContext(target),
    ALPNProtocols: ['postgresql'],
  }
}

async function readSecureContext(target: TlsTarget): Promise<SecureContext> {
  const { sslrootcert, sslcert, sslkey, sslcrl } = target
  if (sslkey !== undefined) await refuseOpenKey(sslkey)
  const passphrase = target.sslpassword()
  const files = {
    ...(sslrootcert === undefined ? {} : { ca: await readAuthorities(sslrootcert) }),
    ...(sslcert === undefined ? {} : { cert: await readNamed(sslcert, 'sslcert') }),
    ...(sslkey === undefined ? {} : { key: await readNamed(sslkey, 'sslkey') }),
    ...(sslcrl === undefined || sslrootcert === undefined ? {} : { crl: await readNamed(sslcrl, 'sslcrl') }),
  }
  try {
    return createSecureContext({
      ...files,
      ...(passphrase === undefined ? {} : { passphrase }),
      minVersion: target.sslMinVersion ?? 'TLSv1.2',
      ...(target.sslMaxVersion === undefined ? {} : { maxVersion: target.sslMaxVersion }),
    })
  } catch (error) {
    throw new AppError(
      'connection-invalid',
      `the certificates or the key for TLS can not be used: ${messageOf(error)}`,
      {
        hint: 'check the files that sslrootcert, sslcert, sslkey and sslcrl name, and sslpassword',
        cause: error,
      },
    )
  }
}

async function readAuthorities(path: string): Promise<string | string[]> {
  return path === 'system' ? getCACertificates('system') : (await readNamed(path, 'sslrootcert')).toString()
}

async function readNamed(path: string, setting: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new AppError('connection-invalid', `${setting} "${path}" can not be read`, {
      hint: `check the path, or unset ${setting}`,
      cause: error,
    })
  }
}

/** Like libpq: only the owner may read the key, or root's group if root owns it. */
async function refuseOpenKey(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode, uid } = await stat(path).catch((error: unknown) => {
    throw new AppError('connection-invalid', `sslkey "${path}" can not be read`, {
      hint: 'a client certificate needs its key: set sslkey, or unset sslcert',
      cause: error,
    })
  })
  if ((mode & (uid === 0 ? 0o037 : 0o077)) === 0) return
  throw new AppError('connection-invalid', `sslkey "${path}" may be read by others`, { hint: `run chmod 600 ${path}` })
}
