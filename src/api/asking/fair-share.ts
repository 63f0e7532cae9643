import { AppError } from '../../core/app-error.ts'

const mostAtOnce = 3
/** Of one person, so that there is always one for somebody else. */
const mostOfOne = 2
const mostWaiting = 12

interface Share {
  held: number
  readonly waiting: (() => void)[]
}

/** A few at a time, by turns of those who ask: whoever asks much waits, and nobody else does. */
export class FairShare {
  /** Whoever got one last comes last. */
  readonly #shares = new Map<string, Share>()
  #held = 0

  /** Resolves when it is this one's turn, until what it resolves to is disposed of; `tries-exhausted` if too many of theirs wait. */
  async take(person: string): Promise<Disposable> {
    const share = this.#shares.get(person) ?? { held: 0, waiting: [] }
    if (share.waiting.length >= mostWaiting) {
      throw new AppError('tries-exhausted', 'you are asking too much at the same time', {
        hint: 'ask again in a moment',
      })
    }
    this.#shares.set(person, share)
    const turn = new Promise<void>((resolve) => share.waiting.push(resolve))
    this.#giveOut()
    await turn
    return { [Symbol.dispose]: () => this.#giveBack(person, share) }
  }

  #giveOut(): void {
    while (this.#held < mostAtOnce) {
      const [next] = [...this.#shares]
        .filter(([, { held, waiting }]) => held < mostOfOne && waiting.length > 0)
        .toSorted(([, one], [, other]) => one.held - other.held)
      if (!next) return
      const [person, share] = next
      this.#shares.delete(person)
      this.#shares.set(person, share)
      share.held++
      this.#held++
      share.waiting.shift()?.()
    }
  }

  #giveBack(person: string, share: Share): void {
    share.held--
    this.#held--
    if (share.held === 0 && share.waiting.length === 0) this.#shares.delete(person)
    this.#giveOut()
  }
}
