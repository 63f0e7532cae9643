import { AppError, messageOf, type ErrorCode } from '../../core/app-error.ts'

/** Whether Node failed with one of these codes (`ENOENT`, `ECONNREFUSED`, …). */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes(errnoOf(error) ?? '')
}

/** What went wrong on the way to a server, as an operator sees it. `place` is the server, as in `describeHost`. */
export function connectionFailure(error: unknown, place: string): AppError {
  if (error instanceof AppError) return error
  const code = errnoOf(error) ?? ''
  if (isTlsErrno(code)) {
    return new AppError('tls-failed', `TLS with ${place} failed: ${messageOf(error)}`, {
      hint: tlsHints.find(([pattern]) => pattern.test(code))?.[1] ?? defaultTlsHint,
      cause: error,
    })
  }
  const [message, hint] = connectHints[code] ?? [`failed: ${messageOf(error)}`, undefined]
  return failure('connection-failed', `connecting to ${place} ${message}`, hint, error)
}

/** A connection that broke while it was in use. Without an `error` the server closed it. */
export function connectionLoss(error: unknown, place: string): AppError {
  if (error === undefined) {
    return failure('connection-lost', `${place} closed the connection unexpectedly`, lossHint, undefined)
  }
  if (isTlsErrno(errnoOf(error) ?? '')) return connectionFailure(error, place)
  return failure('connection-lost', `the connection to ${place} broke: ${messageOf(error)}`, lossHint, error)
}

function isTlsErrno(code: string): boolean {
  return /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CRL_|INVALID_CA|HOSTNAME_MISMATCH)/.test(
    code,
  )
}

const lossHint = 'look into the log of the server: it may have been restarted, or out of memory'
const defaultTlsHint = 'check sslmode and the certificates on both sides'
const tlsHints: readonly (readonly [RegExp, string])[] = [
  [/ALTNAME|HOSTNAME/, 'connect by a name that stands in the certificate, or set sslmode=verify-ca'],
  [/EXPIRED|NOT_YET_VALID/, "renew the server's certificate, or set the clock"],
  [
    /UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA/,
    "set sslrootcert to the file of the authority that signed the server's certificate, or to system",
  ],
  [/REVOKED|CRL_/, 'check the certificate revocation list that sslcrl names'],
  [
    /CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE/,
    'set sslcert and sslkey to a client certificate that the server trusts',
  ],
]

const connectHints: Readonly<Record<string, readonly [string, string]>> = {
  ECONNREFUSED: ['was refused', 'check that PostgreSQL runs there and listens on this address and port'],
  ENOENT: ['failed: there is no such socket', 'check that PostgreSQL runs there, or set host to its address'],
  EACCES: ['was not permitted', 'check the permissions of the socket and its directory'],
  ENOTFOUND: ['failed: there is no such host', 'check the spelling of the host name'],
  EAI_AGAIN: ['failed: the host name can not be resolved now', 'check the name servers of this machine'],
  ETIMEDOUT: ['timed out', 'check the address, and the firewalls on the way'],
  EHOSTUNREACH: ['failed: there is no route to the host', 'check the address, and the firewalls on the way'],
  ENETUNREACH: ['failed: there is no route to its network', 'check the address and the network of this machine'],
  ECONNRESET: [
    'failed: it closed the connection at once',
    'check that it is a PostgreSQL server, and look into its log',
  ],
}

function failure(code: ErrorCode, message: string, hint: string | undefined, cause: unknown): AppError {
  return new AppError(code, message, { ...(hint === undefined ? {} : { hint }), cause })
}

function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
