/** When a hook is run: around each backup and restore of a database, and when one of these, or a hook, has failed. */
export const hookNames = ['before_backup', 'after_backup', 'before_restore', 'after_restore', 'on_failure'] as const
export type HookName = (typeof hookNames)[number]

/** What is to be done at each; a hook that is not there does nothing. */
export type HookLists = Readonly<Partial<Record<HookName, readonly HookStep[]>>>

export type HookAction =
  | {
      readonly kind: 'run'
      /** A program and its arguments, or a text for /bin/sh -c. */
      readonly command: string | readonly string[]
      /** The container that it runs in; else on this machine. */
      readonly container: string | undefined
    }
  | { readonly kind: 'stop' | 'start'; readonly containers: readonly string[] }
  | { readonly kind: 'wait'; readonly until: WaitCondition }

export interface WaitCondition {
  /** `tcp`: host:port, `http`: a URL, `database` and `container`: a name. */
  readonly what: 'tcp' | 'http' | 'database' | 'container'
  readonly where: string
}

export type HookStep = HookAction & {
  readonly timeoutMs: number
  /** Variables of pgrevive's environment that are handed on; there may be secrets in them. */
  readonly variables: readonly string[]
}

/** In a few words, for messages. */
export function describeStep(step: HookStep): string {
  if (step.kind === 'wait') return `wait for ${step.until.what} ${step.until.where}`
  if (step.kind !== 'run') return `${step.kind} ${step.containers.join(', ')}`
  const words = programOf(step.command).join(' ')
  return `run ${words.length > 80 ? `${words.slice(0, 80)}…` : words}${step.container === undefined ? '' : ` in ${step.container}`}`
}

export function programOf(command: string | readonly string[]): readonly string[] {
  return typeof command === 'string' ? ['/bin/sh', '-c', command] : command
}
