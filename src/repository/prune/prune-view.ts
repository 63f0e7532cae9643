import { AppError } from '../../core/app-error.ts'
import { hasObject } from '../../store/has-object.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { backupOfProof } from '../backups/backup-record.ts'
import type { StreamsOf } from '../check/check-streams.ts'
import { Inventory } from '../packs/inventory.ts'
import { packNameOf, sealedIdOf, sealedKey } from '../objects/object-keys.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { commitWindowMs, graceMs } from '../sessions/commit-check.ts'
import { records, statements, type StoredRecord } from '../sessions/stored-record.ts'
import { PackUses } from './pack-uses.ts'
import { ReachableChunks } from './reachable-chunks.ts'

/**
 * Past the grace, before a pack goes: for clocks that count seconds, and stores that show what is new a little late. Ten
 * minutes.
 */
const slackShareOfWindow = 1 / 6
/**
 * Packs younger than two days may be of a session that is under way, or that is tried again: it would have to store them
 * again.
 */
const courtesyInGraces = 2

/** What a prune goes by: all of it was read after `now`. */
export class PruneView {
  /** By the store's clock. */
  readonly now: Date
  readonly inventory: Inventory
  readonly uses: PackUses
  /** Whether there is any. */
  readonly hasBackups: boolean
  /** Names and keys of packs whose directory can not be read. */
  readonly unreadable: ReadonlyMap<string, string>
  readonly #context: RepositoryContext
  readonly #condemnedAt: ReadonlyMap<string, Date>

  private constructor(
    context: RepositoryContext,
    found: Pick<PruneView, 'now' | 'inventory' | 'uses' | 'hasBackups' | 'unreadable'>,
    condemnedAt: ReadonlyMap<string, Date>,
  ) {
    this.#context = context
    this.#condemnedAt = condemnedAt
    this.now = found.now
    this.inventory = found.inventory
    this.uses = found.uses
    this.hasBackups = found.hasBackups
    this.unreadable = found.unreadable
  }

  /**
   * The order matters: a pack may go if it was condemned a grace before `now`, and the records that are listed after `now`
   * have other copies of what it holds, in packs that a still later look at the tombstones does not find condemned.
   * Rejects if a record, a list or a tombstone can not be read, or a record is lost.
   */
  static async look(
    context: RepositoryContext,
    options: AbortOptions & { readonly streamsOf: StreamsOf },
  ): Promise<PruneView> {
    const now = await context.store.now(options)
    const listed = await Array.fromAsync(records(context, options))
    await refuseLostRecords(context, listed, options)
    const condemned = await context.tombstones.condemnations(options)
    const unreadable = new Map<string, string>()
    const onDamaged = (key: string, error: AppError) => {
      if (sealedIdOf('gc', key) !== undefined) throw error
      const name = packNameOf('data', key) ?? packNameOf('meta', key)
      if (name !== undefined) unreadable.set(name, key)
    }
    const inventory = await Inventory.load(context, { ...options, onDamaged })
    const reachable = await ReachableChunks.find(context, inventory, listed, options)
    const uses = new PackUses(inventory, reachable)
    const found = { now, inventory, uses, unreadable, hasBackups: listed.length > 0 }
    return new PruneView(context, found, condemned.packs)
  }

  /** When a condemned pack may be removed, in milliseconds. */
  ripeAt(name: string): number {
    const condemnedAt = this.#condemnedAt.get(name) ?? this.now // by this run, or just now by another
    return +condemnedAt + graceMs(this.#context) + commitWindowMs(this.#context) * slackShareOfWindow
  }

  isRipe(name: string): boolean {
    return this.#condemnedAt.has(name) && this.ripeAt(name) <= this.now.getTime()
  }

  isYoung(number: number): boolean {
    const { storedAt } = this.inventory.pack(number)
    return !storedAt || +this.now - +storedAt < courtesyInGraces * graceMs(this.#context)
  }
}

/** A proof without its record tells of a backup that nobody has forgotten: it is unknown what that needs. */
async function refuseLostRecords(
  context: RepositoryContext,
  listed: readonly StoredRecord[],
  options: AbortOptions,
): Promise<void> {
  const known = new Set(listed.map(({ id }) => id))
  for await (const proof of statements(context, 'proof', options)) {
    const backup = proof.state === 'saved' ? backupOfProof(proof.body) : undefined
    // records and proofs may have come since they were listed
    if (backup === undefined || known.has(backup)) continue
    if (await hasObject(context.store, sealedKey('record', backup), options)) continue
    throw new AppError('object-missing', `the record of backup ${backup} is lost, so nobody knows what it needs`, {
      hint: `nothing was removed; if the backup is given up, "pgrevive forget ${backup}", and prune again`,
    })
  }
}
