import type { AbortOptions, OnTrouble } from './object-store.ts'
import { withRetries } from './retry.ts'

/** For how long a server is asked again. */
export interface Patience {
  /** How long what fails is tried again: before the server has answered for the first time, and later. */
  readonly firstMs: number
  readonly laterMs: number
  /** After how long that is told. */
  readonly tellMs: number
}

/** One that has answered before is waited for, one that never has may be a slip of the pen. */
export const usualPatience: Patience = { firstMs: 3_000, laterMs: 180_000, tellMs: 5_000 }

/** What it means when requests of a store fail. */
export interface FailureWords {
  /** Whether the same request may succeed in a moment. */
  readonly isTransient: (error: unknown) => boolean
  /** Whether the server is there, whatever it says. */
  readonly isAnswer: (error: unknown) => boolean
  /** What happened, in one line. */
  readonly describe: (error: unknown) => string
  /** The failure in the words of a store; `what` is "records/01… in s3://…", or the place. Others' errors stay as they are. */
  readonly explain: (error: unknown, what: string) => unknown
}

/** The only place where requests of a store are tried again, the reading of their answers included. */
export class PatientRequests {
  readonly #location: string
  readonly #patience: Patience
  readonly #words: FailureWords
  readonly #onTrouble: OnTrouble | undefined
  #hasAnswered = false
  #hasTold = false

  constructor(
    location: string,
    options: { readonly patience: Patience; readonly words: FailureWords; readonly onTrouble?: OnTrouble | undefined },
  ) {
    this.#location = location
    this.#patience = options.patience
    this.#words = options.words
    this.#onTrouble = options.onTrouble
  }

  /** Rejects with what `work` failed at in the end, explained, or with the reason of the signal. */
  async run<Result>(what: string, options: AbortOptions, work: () => Promise<Result>): Promise<Result> {
    const { firstMs, laterMs } = this.#patience
    const attempt = async () => {
      try {
        const result = await work()
        this.#hasAnswered = true
        this.#hasTold = false
        return result
      } catch (error) {
        this.#hasAnswered ||= this.#words.isAnswer(error)
        throw error
      }
    }
    try {
      return await withRetries(attempt, {
        isTransient: this.#words.isTransient,
        patienceMs: () => (this.#hasAnswered ? laterMs : firstMs),
        onFailure: (error, failingMs) => this.#tell(error, failingMs),
        signal: options.signal,
      })
    } catch (error) {
      options.signal?.throwIfAborted()
      throw this.#words.explain(error, what)
    }
  }

  /** Once for each time of trouble. */
  #tell(error: unknown, failingMs: number): void {
    if (this.#hasTold || failingMs < this.#patience.tellMs) return
    this.#hasTold = true
    const minutes = Math.ceil(this.#patience.laterMs / 60_000)
    this.#onTrouble?.(`${this.#location}: ${this.#words.describe(error)}; trying again for up to ${minutes} min`)
  }
}
