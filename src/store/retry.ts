import { setTimeout as delay } from 'node:timers/promises'

/** The first pause, and the longest: each is up to twice the one before. */
const firstPauseMs = 100
const longestPauseMs = 10_000

/**
 * Runs `work` until it succeeds, fails in a way that is not `isTransient`, or fails when `patienceMs()` have passed since
 * it failed first. Pauses are random between half and all of their length, so that many clients do not come back at once.
 */
export async function withRetries<Result>(
  work: () => Promise<Result>,
  options: {
    readonly isTransient: (error: unknown) => boolean
    readonly patienceMs: () => number
    /** Called before each pause. */
    readonly onFailure?: (error: unknown, failingMs: number) => void
    readonly signal?: AbortSignal | undefined
  },
): Promise<Result> {
  let failedFirst: number | undefined
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    options.signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      options.signal?.throwIfAborted()
      failedFirst ??= performance.now()
      const failingMs = performance.now() - failedFirst
      if (failingMs >= options.patienceMs() || !options.isTransient(error)) throw error
      options.onFailure?.(error, failingMs)
    }
    await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal })
  }
}
