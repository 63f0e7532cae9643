/** When a run began, by the clock of this machine, and ends: not earlier, even if the clock is set back meanwhile. */
export class RunTime {
  readonly #startedAt = new Date()
  readonly #monotonicMs = performance.now()

  /** ISO 8601, UTC; both. */
  untilNow(): { readonly startedAt: string; readonly finishedAt: string } {
    const finishedAt = new Date(this.#startedAt.getTime() + performance.now() - this.#monotonicMs)
    return { startedAt: this.#startedAt.toISOString(), finishedAt: finishedAt.toISOString() }
  }
}
