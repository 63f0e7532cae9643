/** The time of the service, so that a test can let a month pass. */
export interface Clock {
  now(): Date
  /** Calls `work` every so many milliseconds, but never again before it is done, until it is disposed of. It must not reject. */
  every(ms: number, work: () => void | Promise<void>): Disposable
}

export const systemClock: Clock = {
  now: () => new Date(),
  every: (ms, work) => {
    let isAtWork = false
    const timer = setInterval(() => {
      if (isAtWork) return
      isAtWork = true
      // oxlint-disable-next-line typescript/no-floating-promises -- it must not reject; if it does, that is a bug to be seen
      Promise.resolve(work()).finally(() => (isAtWork = false))
    }, ms)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  },
}
