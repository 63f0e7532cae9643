import type { ProgressEvent } from './progress.ts'

/** What a run tells the service that began it, over the channel between the two processes, while it works. */
export type RunEvent =
  | { readonly kind: 'progress'; readonly progress: ProgressEvent }
  | { readonly kind: 'log'; readonly level: 'info' | 'warning' | 'error'; readonly text: string }
