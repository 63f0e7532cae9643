import { AppError } from '../../core/app-error.ts'
import type { AbortOptions, ObjectStore } from '../../store/object-store.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { tombstoneLifetimeMs } from './tombstones.ts'

const hourMs = 3600 * 1000
/** A permit older than this is not used: together with a store's own bound on stale requests it keeps within the window. */
const permitShareOfWindow = 1 / 4
/** Tombstones that this session has not seen may be dropped after `tombstoneLifetimeMs`; a day is left for the check. */
const longestSessionMs = tombstoneLifetimeMs - 24 * hourMs

/** That at `checkedAt`, by the store's clock, nothing relied on was near its deletion. */
export class CommitPermit {
  readonly checkedAt: Date
  readonly #lifetimeMs: number
  readonly #wallMs: number
  readonly #monotonicMs: number

  constructor(
    checkedAt: Date,
    { lifetimeMs, ...taken }: { readonly lifetimeMs: number; readonly wallMs: number; readonly monotonicMs: number },
  ) {
    this.checkedAt = checkedAt
    this.#lifetimeMs = lifetimeMs
    this.#wallMs = taken.wallMs
    this.#monotonicMs = taken.monotonicMs
  }

  /** Asks both clocks: one jumps when it is set, the other stands still while the machine sleeps. */
  isFresh(now: { readonly wallMs: number; readonly monotonicMs: number }): boolean {
    const wallMs = now.wallMs - this.#wallMs
    return wallMs >= 0 && wallMs <= this.#lifetimeMs && now.monotonicMs - this.#monotonicMs <= this.#lifetimeMs
  }
}

export function clocks(): { wallMs: number; monotonicMs: number } {
  return { wallMs: Date.now(), monotonicMs: performance.now() }
}

/** The store's clock as a session sees it: however the store's is set back, here no less time passes than really does. */
export class SessionClock {
  readonly #store: ObjectStore
  readonly startedAt: Date
  readonly #monotonicMs = performance.now()

  private constructor(store: ObjectStore, startedAt: Date) {
    this.#store = store
    this.startedAt = startedAt
  }

  static async start(store: ObjectStore, options: AbortOptions = {}): Promise<SessionClock> {
    return new SessionClock(store, await store.now(options))
  }

  async now(options: AbortOptions = {}): Promise<Date> {
    const now = (await this.#store.now(options)).getTime()
    return new Date(Math.max(now, this.startedAt.getTime() + performance.now() - this.#monotonicMs))
  }
}

export function commitWindowMs({ config }: RepositoryContext): number {
  return config.commitWindowHours * hourMs
}

export function graceMs({ config }: RepositoryContext): number {
  return config.graceHours * hourMs
}

/**
 * Rejects with `session-too-old` if one of the packs could be deleted before a record that relies on it is seen: it was
 * condemned at least the grace period less the commit window ago, or if nobody can know any more.
 */
export async function checkCommit(
  context: RepositoryContext,
  clock: SessionClock,
  reliedOn: Iterable<string>,
  options: AbortOptions = {},
): Promise<CommitPermit> {
  const taken = clocks()
  const checkedAt = await clock.now(options) // before the listing, so that no tombstone older than it is overlooked
  if (checkedAt.getTime() - clock.startedAt.getTime() > longestSessionMs) {
    throw tooOld(`the backup began at ${clock.startedAt.toISOString()}, more than 29 days ago`)
  }
  const { packs, replacedAt } = await context.tombstones.condemnations(options)
  if (replacedAt && replacedAt >= clock.startedAt) {
    throw tooOld('a repair took place since, after which nobody knows which packs had been condemned')
  }
  for (const pack of reliedOn) {
    const condemnedAt = packs.get(pack)
    if (condemnedAt && +checkedAt + commitWindowMs(context) >= +condemnedAt + graceMs(context)) {
      throw tooOld(`pack ${pack}, which this backup relies on, was condemned at ${condemnedAt.toISOString()}`)
    }
  }
  return new CommitPermit(checkedAt, { lifetimeMs: commitWindowMs(context) * permitShareOfWindow, ...taken })
}

function tooOld(message: string): AppError {
  return new AppError('session-too-old', message, { hint: 'run the backup again; what it has stored is used again' })
}
