import { setTimeout as delay } from 'node:timers/promises'
import type { AbortOptions } from './object-store.ts'

/** What time it is, in milliseconds since any moment, and how to let it pass; `sleep` rejects once `signal` is aborted. */
export interface Clock {
  now(): number
  sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void>
}

const usualClock: Clock = {
  now: () => performance.now(),
  sleep: (durationMs, signal) => delay(durationMs, undefined, { signal }),
}

/** What may go at once after a rest. */
const burstMs = 250
/** How long a slice takes: whoever comes waits at most so long for each of those who are there. */
const sliceMs = 50

/**
 * Lets so many bytes through in a second, on average. Whoever wants many takes them slice by slice, in turn with all
 * others, so that what is small does not wait for what is large.
 */
export class RateLimit {
  readonly bytesPerSecond: number
  readonly #bytesPerMs: number
  readonly #clock: Clock
  /** When all that was let through is paid for. */
  #paidAtMs = -Infinity

  constructor(bytesPerSecond: number, clock: Clock = usualClock) {
    this.bytesPerSecond = bytesPerSecond
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#clock = clock
  }

  /** Resolves when so many bytes may go. */
  async take(bytes: number, { signal }: AbortOptions): Promise<void> {
    const sliceBytes = sliceMs * this.#bytesPerMs
    for (let left = bytes; left > 0; left -= sliceBytes) {
      signal?.throwIfAborted()
      const now = this.#clock.now()
      this.#paidAtMs = Math.max(this.#paidAtMs, now - burstMs) + Math.min(left, sliceBytes) / this.#bytesPerMs
      if (this.#paidAtMs > now) await this.#sleep(this.#paidAtMs - now, signal)
    }
  }

  async #sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#clock.sleep(durationMs, signal)
    } catch (error) {
      signal?.throwIfAborted() // with its own reason
      throw error
    }
  }
}
