import { randomBytes } from 'node:crypto'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { z } from 'zod'
import { AppError, type ErrorCode } from '../core/app-error.ts'
import { redactPasswords } from '../core/text/redact-passwords.ts'
import type { Problem } from '../shapes/common.ts'

/** What went wrong, for the answer, and the whole of it for the log where it is a bug. */
export interface Failure {
  readonly status: ContentfulStatusCode
  readonly problem: Problem
  readonly bug: { readonly id: string; readonly error: unknown } | undefined
}

/** Of codes that tell a browser or a proxy something; all others are 422: understood, and not done. */
const statuses: { readonly [Code in ErrorCode]?: ContentfulStatusCode } = {
  'usage-invalid': 400,
  'sign-in-needed': 401,
  'sign-in-failed': 401,
  'access-denied': 403,
  'change-refused': 403,
  'not-found': 404,
  'backup-unknown': 404,
  'request-conflict': 409,
  'request-too-large': 413,
  'tries-exhausted': 429,
  'run-unknown': 404,
  unexpected: 500,
}

export function failureOf(error: unknown): Failure {
  if (error instanceof AppError)
    return { status: statuses[error.code] ?? 422, problem: problemOf(error), bug: undefined }
  if (error instanceof HTTPException && error.status < 500) return failureOf(ofHttp(error))
  const id = randomBytes(6).toString('hex')
  const said = new AppError('unexpected', `the service failed in a way that it does not know (${id})`, {
    hint: 'its log tells more under this id; what it was doing may or may not be done',
  })
  return { status: 500, problem: problemOf(said), bug: { id, error } }
}

function problemOf({ code, message, hint }: AppError): Problem {
  const text = { code, message: redactPasswords(message) }
  return { error: hint === undefined ? text : { ...text, hint: redactPasswords(hint) } }
}

/** What the framework refuses before any of ours is reached. */
function ofHttp({ status }: HTTPException): AppError {
  if (status === 413) return tooLarge()
  if (status === 415)
    return new AppError('usage-invalid', 'the request must be JSON, with content-type: application/json')
  return new AppError('usage-invalid', 'the request is not valid JSON')
}

export function tooLarge(): AppError {
  return new AppError('request-too-large', 'the request is too large')
}

/** The first of what a schema did not take, by its place: "databases.0: too long". */
export function invalid(issues: readonly z.core.$ZodIssue[]): AppError {
  const shown = issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.map(String).join('.') || 'the request'}: ${message}`)
  return new AppError('usage-invalid', shown.join('; '), { hint: '/api/openapi.json describes every request' })
}
