import { Repository } from '../repository.ts'
import { sealedPrefix } from '../objects/object-keys.ts'
import { putSealed } from '../objects/sealed-object.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { TombstoneBook } from '../sessions/tombstones.ts'
import { storeWith } from '../test-repository.ts'
import type { ObjectStore, ReadObject } from '../../store/object-store.ts'
import type { Host, World } from './test-world.ts'

const hourMs = 3600 * 1000

/** Part of what keeps backups safe, taken out, for the simulation to show that it finds out. */
export const mutants = [
  'no commit check',
  'no grace',
  'no second look at the records',
  'tombstones revoked',
  'tombstones revoked by a repair',
] as const
export type Mutant = (typeof mutants)[number]

/** Repositories as the processes of a schedule have them, with something taken out, or nothing. */
export class Mutants {
  readonly #world: World
  readonly #mutant: Mutant | undefined
  /** What an earlier look at the records saw. */
  #staleRecords: { readonly read: readonly ReadObject[]; readonly atMs: number } | undefined

  constructor(world: World, mutant: Mutant | undefined) {
    this.#world = world
    this.#mutant = mutant
  }

  forSession(repository: Repository): Repository {
    if (this.#mutant !== 'no commit check') return repository
    const { context } = repository
    const tombstones = new RememberingBook(context.store, context.keys.metadata)
    return new Repository({ ...context, tombstones }, repository.key)
  }

  forPrune(repository: Repository): Repository {
    const { context } = repository
    if (this.#mutant === 'no grace') {
      return new Repository({ ...context, config: { ...context.config, graceHours: 0 } }, repository.key)
    }
    if (this.#mutant === 'no second look at the records') {
      const store = storeWith(context.store, { readFolder: (...args) => this.#readStale(context.store, ...args) })
      return new Repository({ ...context, store }, repository.key)
    }
    return repository
  }

  forRepair(repository: Repository): Repository {
    if (this.#mutant !== 'tombstones revoked by a repair') return repository
    const { context } = repository
    const tombstones = new ForgetfulBook(context)
    return new Repository({ ...context, tombstones }, repository.key)
  }

  /** What may happen to a tombstone, once in so many rounds. */
  get rotShare(): number {
    return this.#mutant === 'tombstones revoked by a repair' ? 1 : 0.2
  }

  /** Of tombstones in a round, after each of which somebody backs up again. */
  get revocations(): readonly ((host: Host) => Promise<void>)[] {
    return this.#mutant === 'tombstones revoked' ? [0, 1, 2].map(() => (host) => this.#revoke(host)) : []
  }

  /** Records as they were up to thirty hours ago. */
  async *#readStale(
    store: ObjectStore,
    ...args: Parameters<ObjectStore['readFolder']>
  ): AsyncIterable<readonly ReadObject[]> {
    const read = (await Array.fromAsync(store.readFolder(...args))).flat()
    const { nowMs } = this.#world
    if (!this.#staleRecords || nowMs - this.#staleRecords.atMs > 30 * hourMs) this.#staleRecords = { read, atMs: nowMs }
    yield this.#staleRecords.read
  }

  /** Somebody changes their mind about what is condemned. */
  async #revoke(host: Host): Promise<void> {
    const tombstones = (await Array.fromAsync(host.store.list(sealedPrefix('gc')))).map(({ key }) => key)
    for (const tombstone of tombstones) await host.store.delete(tombstone)
  }
}

/** Knows what it saw at first. */
class RememberingBook extends TombstoneBook {
  #seen: ReturnType<TombstoneBook['condemnations']> | undefined

  override condemnations(
    ...args: Parameters<TombstoneBook['condemnations']>
  ): ReturnType<TombstoneBook['condemnations']> {
    return (this.#seen ??= super.condemnations(...args))
  }
}

/** Does not care what a damaged tombstone may have said. */
class ForgetfulBook extends TombstoneBook {
  readonly #context: RepositoryContext

  constructor(context: RepositoryContext) {
    super(context.store, context.keys.metadata)
    this.#context = context
  }

  override async replace(ids: readonly string[]): Promise<void> {
    const { store, keys } = this.#context
    const content = Buffer.from(JSON.stringify({ condemned: [], deleted: [] }))
    for (const id of ids) await putSealed(store, keys.metadata, { kind: 'gc', id, content })
  }
}
