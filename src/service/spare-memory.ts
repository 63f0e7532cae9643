import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Runs } from './runs/runs.ts'

const everyMs = 60_000
const worthBytes = 16 * 2 ** 20

/**
 * Gives back the memory that a burst needed: a list of thousands of backups, a front page for many who look. V8 keeps it
 * until it needs more than that, which a service that mostly waits never does.
 */
export class SpareMemory {
  readonly #runs: Pick<Runs, 'isIdle'>
  #looked = 0
  #kept = 0
  #collect: (() => void) | undefined

  constructor(runs: Pick<Runs, 'isIdle'>) {
    this.#runs = runs
  }

  /** Once a minute, when no run is at work, and only if there is something to give back: it takes some 50 ms. */
  tick(now: Date): void {
    if (Math.abs(now.getTime() - this.#looked) < everyMs || !this.#runs.isIdle) return
    this.#looked = now.getTime()
    const { heapTotal, external } = process.memoryUsage()
    if (heapTotal + external - this.#kept < worthBytes) return
    this.#collect ??= collector()
    this.#collect()
    const after = process.memoryUsage()
    this.#kept = after.heapTotal + after.external
  }
}

/** What "node --expose-gc" has, without a second start of the process. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  return typeof collect === 'function' ? () => void collect() : () => undefined
}
