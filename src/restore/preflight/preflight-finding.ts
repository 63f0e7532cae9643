import { AppError, type ErrorCode } from '../../core/app-error.ts'
import type { Finding } from '../../core/finding.ts'

/** A finding of preflight: a bad one holds the error that the restore would end with, and what helps. */
export interface PreflightFinding extends Finding {
  readonly error?: AppError
}

export function good(check: string, answer: string, meaning: string): PreflightFinding {
  return { check, answer, verdict: 'good', meaning }
}

export function note(check: string, answer: string, meaning: string): PreflightFinding {
  return { check, answer, verdict: 'note', meaning }
}

/** `meaning` is the error's message, and `hint` the remedy. */
export function bad(check: string, answer: string, code: ErrorCode, meaning: string, hint: string): PreflightFinding {
  return { check, answer, verdict: 'bad', meaning, error: new AppError(code, meaning, { hint }) }
}

/** What somebody threw who looked, as a finding; rejects with what is no AppError. */
export function asFinding(check: string, answer: string, error: unknown): PreflightFinding {
  if (!(error instanceof AppError)) throw error
  return { check, answer, verdict: 'bad', meaning: error.message, error }
}

/** One error for all that is bad: each with its remedy, under the code of the first. undefined: nothing is. */
export function failureOf(findings: readonly PreflightFinding[]): AppError | undefined {
  const errors = findings.flatMap(({ error }) => error ?? [])
  const [first, ...others] = errors
  if (!first || others.length === 0) return first
  const lines = (texts: readonly string[]) => texts.map((text) => `\n- ${text}`).join('')
  return new AppError(
    first.code,
    `${errors.length} things stand in the way of the restore:${lines(errors.map(({ message }) => message))}`,
    {
      cause: first.cause,
      hint: `for each, in this order:${lines(errors.map(({ hint = 'see above' }) => hint))}`,
    },
  )
}
