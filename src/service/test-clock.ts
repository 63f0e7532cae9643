import type { Clock } from './clock.ts'

interface Recurring {
  readonly ms: number
  readonly work: () => void | Promise<void>
  nextMs: number
}

/** A clock that stands still until it is told to go on. */
export class TestClock implements Clock {
  #nowMs: number
  readonly #recurring = new Set<Recurring>()

  constructor(start: string | Date = '2026-11-01T00:00:00Z') {
    this.#nowMs = new Date(start).getTime()
  }

  now(): Date {
    return new Date(this.#nowMs)
  }

  every(ms: number, work: () => void | Promise<void>): Disposable {
    const recurring = { ms, work, nextMs: this.#nowMs + ms }
    this.#recurring.add(recurring)
    return { [Symbol.dispose]: () => void this.#recurring.delete(recurring) }
  }

  /** Lets time pass; whatever recurs is called at its moments, one after the other. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#recurring].toSorted((a, b) => a.nextMs - b.nextMs)
      if (!next || next.nextMs > untilMs) break
      this.#nowMs = next.nextMs
      next.nextMs += next.ms
      await next.work()
    }
    this.#nowMs = untilMs
  }

  /** As if the clock of the machine was changed, or it had slept: nothing is called for the time between. */
  jump(to: Date | string): void {
    const byMs = new Date(to).getTime() - this.#nowMs
    this.#nowMs += byMs
    for (const recurring of this.#recurring) recurring.nextMs += byMs
  }
}
