import { isIPv6 } from 'node:net'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import type { Clock } from '../../service/clock.ts'
import type { State } from '../../service/state/state.ts'
import { hashOf } from './secrets.ts'

interface Limit {
  readonly key: string
  /** Tries within a quarter of an hour from the first one. */
  readonly most: number
}

const windowMs = 15 * 60 * 1000
const row = z.object({ count: z.number(), until: z.string() })

/**
 * Counts tries before anything is compared, in the state, so that neither many at once nor a restart help. An account
 * alone has a wide limit: else anybody could lock everybody out by guessing.
 */
export class Attempts {
  readonly #state: State
  readonly #clock: Clock

  constructor(state: State, clock: Clock) {
    this.#state = state
    this.#clock = clock
  }

  /** One more try; throws `tries-exhausted` with the time to wait. `account` is an e-mail address, known or not. */
  begin(address: string, account?: string): void {
    this.#begin(limitsOf(address, account))
  }

  /** One more token that stands for nobody; throws the same. */
  badToken(address: string): void {
    this.#begin([{ key: `token from ${networkOf(address)}`, most: 30 }])
  }

  /** Whether one more refusal of somebody unknown is written down: the first ones tell what the others would. */
  mayKeep(address: string): boolean {
    return this.#take([{ key: `kept of ${networkOf(address)}`, most: 100 }]) === undefined
  }

  /** Whether a code of an authenticator is taken for the first time; none is valid for longer than this is remembered. */
  takeCode(user: string, code: string): boolean {
    const key = `code ${hashOf(`${user} ${code}`).toString('base64url')}`
    return this.#take([{ key, most: 1 }]) === undefined
  }

  #begin(limits: readonly Limit[]): void {
    const until = this.#take(limits)
    if (until === undefined) return
    const minutes = Math.max(1, Math.ceil((Date.parse(until) - this.#clock.now().getTime()) / 60_000))
    throw new AppError('tries-exhausted', 'too many tries at signing in', {
      hint: `try again in ${minutes} minute${minutes === 1 ? '' : 's'}; nothing is locked for good`,
    })
  }

  /** It was the right one: it does not count, and those before it of this account from there are forgotten. */
  succeeded(address: string, account?: string): void {
    for (const { key } of limitsOf(address, account)) {
      this.#state.change('update attempt set count = count - 1 where key = :key and count > 0', { key })
    }
    const [own] = account === undefined ? [] : limitsOf(address, account)
    if (own) this.#state.change('delete from attempt where key = :key', { key: own.key })
  }

  /** Counts one more; or else says until when there are as many as may be. */
  #take(limits: readonly Limit[]): string | undefined {
    const now = this.#clock.now()
    return this.#state.transaction(() => {
      const exhausted = limits.map((limit) => this.#exhaustedUntil(limit, now)).find((one) => one !== undefined)
      if (exhausted === undefined) for (const { key } of limits) this.#count(key, now)
      return exhausted
    })
  }

  #exhaustedUntil({ key, most }: Limit, now: Date): string | undefined {
    const found = this.#state.first(row, 'select count, until from attempt where key = :key', { key })
    return found && found.until > now.toISOString() && found.count >= most ? found.until : undefined
  }

  #count(key: string, now: Date): void {
    this.#state.change('delete from attempt where until <= :now', { now: now.toISOString() })
    this.#state.change(
      'insert into attempt (key, count, until) values (:key, 1, :until) on conflict (key) do update set count = count + 1',
      { key, until: new Date(now.getTime() + windowMs).toISOString() },
    )
  }
}

function limitsOf(address: string, account: string | undefined): Limit[] {
  const network = networkOf(address)
  const ofAddress = { key: `from ${network}`, most: 30 }
  if (account === undefined) return [ofAddress]
  // Names that are no account are counted the same, and are none of our business.
  const name = hashOf(account.toLowerCase()).toString('base64url')
  return [{ key: `of ${name} from ${network}`, most: 6 }, { key: `of ${name}`, most: 60 }, ofAddress]
}

/** Whoever has an IPv6 address has the 2^64 of its network. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('%', 1)[0]?.toLowerCase().split('::') ?? []
  const front = head.split(':').filter((group) => group !== '')
  const back = tail.split(':').filter((group) => group !== '')
  const missing = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0')
  return `${[...front, ...missing, ...back].slice(0, 4).join(':')}::/64`
}
