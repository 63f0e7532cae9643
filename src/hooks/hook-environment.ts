import { redactPasswords } from '../core/text/redact-passwords.ts'

/** Linux takes no variable of more than 128 KiB: a hook with one would not be run at all. */
const toldCharacters = 8000

/** What any program may know. */
const harmless = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR)$/

/** What a hook is told of its run. */
export interface HookFacts {
  /** As backups are listed. */
  readonly database: string
  /** Undefined before it is made. */
  readonly backup?: string | undefined
  /** The database that is restored into. */
  readonly target?: string | undefined
}

export interface HookOutcome {
  readonly outcome: 'done' | 'incomplete' | 'failed' | 'interrupted'
  readonly errorCode?: string | undefined
  readonly error?: string | undefined
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * What a step hands on: what it names of pgrevive's environment, and what is known of the run. Nothing else, since
 * passwords and passphrases are there.
 */
export function handedVariables(
  own: Variables,
  names: readonly string[],
  told: HookFacts & Partial<HookOutcome> & { readonly action: string; readonly run: string },
): Record<string, string> {
  return defined({
    ...Object.fromEntries(names.map((name) => [name, own[name]])),
    PGREVIVE_ACTION: told.action,
    PGREVIVE_RUN: told.run,
    PGREVIVE_DATABASE: told.database,
    PGREVIVE_BACKUP: told.backup,
    PGREVIVE_TARGET: told.target,
    PGREVIVE_OUTCOME: told.outcome,
    PGREVIVE_ERROR_CODE: told.errorCode,
    PGREVIVE_ERROR: told.error === undefined ? undefined : tellable(told.error),
  })
}

/** What every program of this machine gets; one in a container has its own. */
export function harmlessVariables(own: Variables): Record<string, string> {
  return defined(Object.fromEntries(Object.entries(own).filter(([name]) => harmless.test(name))))
}

/** No variable can hold a NUL. */
function tellable(error: string): string {
  return redactPasswords(error).replaceAll('\0', '').slice(0, toldCharacters).toWellFormed()
}

function defined(variables: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  )
}
