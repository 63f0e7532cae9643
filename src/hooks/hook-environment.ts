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

/**
 * The variables of a hook's programs: what any program may know, what it is told of the run, and what its step names.
 * Nothing else of pgrevive's environment, which holds passwords and passphrases.
 */
export function hookEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  variables: readonly string[],
  told: HookFacts & Partial<HookOutcome> & { readonly action: string; readonly run: string },
): Record<string, string> {
  const handed = Object.entries(own).filter(([name]) => harmless.test(name) || variables.includes(name))
  const facts = [
    ['PGREVIVE_ACTION', told.action],
    ['PGREVIVE_RUN', told.run],
    ['PGREVIVE_DATABASE', told.database],
    ['PGREVIVE_BACKUP', told.backup],
    ['PGREVIVE_TARGET', told.target],
    ['PGREVIVE_OUTCOME', told.outcome],
    ['PGREVIVE_ERROR_CODE', told.errorCode],
    ['PGREVIVE_ERROR', told.error],
  ] as const
  return Object.fromEntries(
    [...handed, ...facts].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  )
}
