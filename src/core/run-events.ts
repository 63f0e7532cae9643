import type { ProgressEvent } from './progress.ts'

/** What a run tells the service that began it, over the channel between the two processes, while it works. */
export type RunEvent =
  | { readonly kind: 'progress'; readonly progress: ProgressEvent }
  | { readonly kind: 'log'; readonly level: 'info' | 'warning' | 'error'; readonly text: string }

/** The variable that names its run to a process that a service begins; the process then waits for `beginMessage`. */
export const runVariable = 'PGREVIVE_SERVICE_RUN'
/** What the service says once it has noted whose process it is: not before that may anything be done. */
export const beginMessage = { kind: 'begin' } as const
