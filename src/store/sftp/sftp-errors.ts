import { AppError } from '../../core/app-error.ts'
import { type Explanation, firstLineOf, full } from '../server-failures.ts'
import { ConnectionLost } from '../../ssh/ssh-session.ts'
import type { SftpPlace } from './sftp-place.ts'

/** What the server answered in place of what it was asked for. */
export class SftpFailure extends Error {
  override name = 'SftpFailure'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-7, the last two from later drafts. */
export const sftpStatus = {
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  noConnection: 6,
  connectionLost: 7,
  unsupported: 8,
  alreadyThere: 11,
  noSpace: 14,
  quotaExceeded: 15,
} as const

export function hasStatus(error: unknown, ...names: (keyof typeof sftpStatus)[]): error is SftpFailure {
  return error instanceof SftpFailure && names.some((name) => sftpStatus[name] === error.status)
}

/** Whether the same request may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  return error instanceof ConnectionLost || hasStatus(error, 'noConnection', 'connectionLost')
}

/** Whether the server is there, whatever it says. */
export function isAnswer(error: unknown): boolean {
  return error instanceof SftpFailure || error instanceof AppError
}

/** What happened, in one line. */
export function describeFailure(error: unknown): string {
  if (error instanceof SftpFailure) return `the server answered "${error.message}" (${error.status})`
  return firstLineOf(error)
}

/** The failure in the words of a store; `what` it happened to. Errors that are none of the server's stay as they are. */
export function explainSftpError(error: unknown, what: string, place: SftpPlace): unknown {
  if (error instanceof ConnectionLost) {
    return new AppError(
      'store-unreachable',
      `${place.host}:${place.port} can not be reached for ${what}: ${describeFailure(error)}`,
      {
        cause: error,
        hint: 'check the name, the port (does an SSH server answer there?) and the network; what was stored is safe: run the same command again',
      },
    )
  }
  if (!(error instanceof SftpFailure)) return error
  const [code, message, hint] = explanationOf(error, what)
  return new AppError(code, message, { cause: new Error(describeFailure(error)), hint })
}

function explanationOf(error: SftpFailure, what: string): Explanation {
  if (hasStatus(error, 'noSpace', 'quotaExceeded')) return full(what)
  if (hasStatus(error, 'noSuchFile')) {
    return [
      'store-missing',
      `${what} does not exist`,
      'check the path: sftp://host/path begins at the root of the server, sftp://host/~/path in the home directory; if there never was a repository, "pgrevive init" creates one',
    ]
  }
  if (hasStatus(error, 'permissionDenied'))
    return [
      'store-denied',
      `no permission for ${what}`,
      'check who owns the folder on the server, and the user of the URL',
    ]
  if (isTransient(error)) {
    return [
      'store-unreachable',
      `the server has lost what is behind it, for ${what}`,
      'what was stored is safe: run the same command again later',
    ]
  }
  return [
    'store-failed',
    `the server refused ${what}`,
    'SFTP does not say why: often the disk or the quota is full, or the file system can not be written; nothing that was stored before is touched',
  ]
}
