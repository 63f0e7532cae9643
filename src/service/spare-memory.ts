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
  /** What is in use at rest, in bytes, as far as collections tell. */
  #atRest: number | undefined
  #collect: (() => void) | undefined

  constructor(runs: Pick<Runs, 'isIdle'>) {
    this.#runs = runs
  }

  /** Once a minute, when no run is at work, and only if there is something to give back: it takes some 50 ms. */
  tick(now: Date): void {
    if (Math.abs(now.getTime() - this.#looked) < everyMs || !this.#runs.isIdle) return
    this.#looked = now.getTime()
    if (this.#atRest !== undefined && usedBytes() - this.#atRest < worthBytes) return
    this.#collect ??= collector()
    this.#collect()
    const left = usedBytes()
    // In the middle of a burst more is left than at rest. Whether it only was that shows in a few minutes.
    this.#atRest = Math.min(left, (this.#atRest ?? left) + worthBytes / 8)
  }
}

function usedBytes(): number {
  const { heapTotal, external } = process.memoryUsage()
  return heapTotal + external
}

/** What "node --expose-gc" has, without a second start of the process. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  return typeof collect === 'function' ? () => void collect() : () => undefined
}
