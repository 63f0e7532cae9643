import type { z } from 'zod'

/** What no schema of ours takes, where it can not be decoded. */
export function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return '\0'
  }
}

/** Without the value, which may be secret. */
export function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'it has options that are not known'
  return `its ${String(issue.path.at(-1))} ${issue.message}`
}
