import { AppError } from '../core/app-error.ts'

/** Nothing in a repository is nearly as large. */
export const largestObjectBytes = 256 * 1024 * 1024

/** Where a directory keeps what is not whole yet; no keys lie there, in any store. */
export const temporaryFolder = 'tmp'

/** `/`-separated names of letters, digits, `-`, `_` and `.` that are not only dots; the first is not `tmp`. */
export function isKey(text: string): boolean {
  return (
    /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/.test(text) &&
    !/(^|\/)\.+(\/|$)/.test(text) &&
    text.split('/', 1)[0] !== temporaryFolder
  )
}

/** Throws for what is no key, such as one that leads out of the store. */
export function requireKey(text: string): string {
  if (isKey(text)) return text
  throw new AppError('store-failed', `not a key: ${JSON.stringify(text)}`)
}

export function missingObject(key: string, location: string, cause?: unknown): AppError {
  return new AppError('object-missing', `${key} is missing in ${location}`, {
    cause,
    hint: 'run "pgrevive check" to see which backups are touched',
  })
}

/** What lies under `key` is no file, or larger than `largestObjectBytes`. */
export function foreignObject(key: string, location: string): AppError {
  return new AppError('object-damaged', `${key} in ${location} is no object of a repository`, {
    hint: 'it is no file, or larger than any object: find out who put it there, and remove it',
  })
}
