import type { ServerType } from '@hono/node-server'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Server as HttpsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import { AppError, messageOf } from '../core/app-error.ts'
import type { Clock } from '../service/clock.ts'
import type { ApiLog } from './api-log.ts'
import type { ListenSettings } from './places.ts'

const lookForCertificateMs = 60_000

type CertificateFiles = NonNullable<ListenSettings['tls']>

/** Throws `config-invalid` for files that can not be read, that hold something else, or that do not fit each other. */
export function readCertificate({ certificateFile, keyFile }: CertificateFiles): { cert: Buffer; key: Buffer } {
  const cert = attempt(() => readFileSync(certificateFile), 'the certificate can not be read')
  const key = attempt(() => readFileSync(keyFile), 'the key of the certificate can not be read')
  const certificate = attempt(() => new X509Certificate(cert), `${certificateFile} holds no certificate in PEM`)
  if (key.includes('ENCRYPTED')) throw unusable(`${keyFile} needs a passphrase, which nobody is there to enter`)
  const privateKey = attempt(() => createPrivateKey(key), `${keyFile} holds no private key in PEM`)
  if (!certificate.checkPrivateKey(privateKey)) throw unusable(`${keyFile} is not the key of ${certificateFile}`)
  attempt(() => createSecureContext({ cert, key }), `${certificateFile} can not be used`)
  return { cert, key }
}

function attempt<Result>(work: () => Result, what: string): Result {
  try {
    return work()
  } catch (cause) {
    throw unusable(`${what}: ${messageOf(cause)}`, cause)
  }
}

function unusable(message: string, cause?: unknown): AppError {
  return new AppError('config-invalid', message, {
    cause,
    hint: '"certificate_file:" and "key_file:" of "tls:" in pgrevive.yaml name a certificate with its chain, and its key, in PEM',
  })
}

/** Looks every minute whether another certificate lies there; one that does not fit leaves the old one in use. */
export function renewCertificate(
  server: ServerType,
  files: CertificateFiles,
  { clock, log }: { clock: Clock; log: ApiLog },
): Disposable {
  let known = stampOf(files)
  return clock.every(lookForCertificateMs, () => {
    const now = stampOf(files)
    if (now === known) return
    known = now
    try {
      if (isHttps(server)) server.setSecureContext(readCertificate(files))
    } catch (error) {
      log.warning(`the new certificate is not used, the old one still is: ${messageOf(error)}`)
    }
  })
}

function isHttps(server: ServerType): server is HttpsServer {
  return 'setSecureContext' in server
}

function stampOf({ certificateFile, keyFile }: CertificateFiles): string {
  const stamps = [certificateFile, keyFile].map((file) => statSync(file, { throwIfNoEntry: false }))
  return stamps.map((stats) => `${stats?.mtimeMs}:${stats?.size}:${stats?.ino}`).join(' ')
}
