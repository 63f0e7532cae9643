import { AppError } from '../../core/app-error.ts'
import { forEachParallel } from '../../core/parallel.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { BlobCopier } from '../packs/blob-copier.ts'
import type { StreamsOf } from '../check/check-streams.ts'
import { packKey } from '../objects/object-keys.ts'
import { readAhead } from '../objects/read-ahead.ts'
import type { RepositoryContext } from '../repository-context.ts'
import type { Repository } from '../repository.ts'
import type { PackUse } from './pack-uses.ts'
import { count, type PackCount, type PruneReport } from './prune-report.ts'
import { PruneView } from './prune-view.ts'
import { dropTombstones, tidyIndexes } from './tidy.ts'
import { WholePacks } from './whole-packs.ts'

/** So much of what is stored may be of no use before packs are rewritten. */
const toleratedUnused = 0.1
const usualRepackShare = 0.1
/** After about so many bytes what was copied counts. */
const batchBytes = 256 * 1024 * 1024
const packsAhead = 2
const removalsAtOnce = 8

export interface PruneOptions extends AbortOptions {
  /** All streams of a record, as for `checkRepository`. */
  readonly streamsOf: StreamsOf
  /** Bytes to copy out of packs that are partly of no use; a tenth of the repository unless named. One pack at least. */
  readonly maxRepackBytes?: number | undefined
  /** Only tell what would be done. */
  readonly dryRun?: boolean | undefined
  readonly onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined
}

/**
 * Frees what no record leads to; see format.md §7. Any number may run at once, next to sessions, and stop anywhere: each
 * step is safe by itself, and the next run goes on. Packs that it does not rewrite are not read. Rejects, before anything
 * is changed, if a record, a list or a tombstone can not be read.
 */
export async function pruneRepository(repository: Repository, options: PruneOptions): Promise<PruneReport> {
  const view = await PruneView.look(repository.context, options)
  const prune = new Prune(repository.context, view, options)
  await prune.sweep()
  await prune.condemn()
  await prune.tidy()
  return prune.report()
}

class Prune {
  readonly #context: RepositoryContext
  readonly #view: PruneView
  readonly #options: PruneOptions
  readonly #copier: BlobCopier
  readonly #report: Omit<PruneReport, 'waiting' | 'waitingUntil' | 'damaged'> & { unusedBytes: number }
  readonly #packs: WholePacks
  /** Of packs that were read because they hold the older copies of what others hold, too: whether they are whole. */
  readonly #verified = new Map<number, boolean>()
  readonly #removed = new Set<string>()
  readonly #mostCopiedBytes: number

  constructor(context: RepositoryContext, view: PruneView, options: PruneOptions) {
    this.#context = context
    this.#view = view
    this.#options = options
    this.#copier = new BlobCopier(context, view.inventory)
    this.#packs = new WholePacks(context, view.inventory)
    const nothing = () => ({ packs: 0, bytes: 0 })
    const stored = nothing()
    for (const { state, sizeBytes } of view.inventory.packs) if (state === 'stored') count(stored, sizeBytes)
    this.#mostCopiedBytes = options.maxRepackBytes ?? stored.bytes * usualRepackShare
    this.#report = {
      stored,
      removed: nothing(),
      condemned: nothing(),
      repacked: nothing(),
      rescued: nothing(),
      unusedBytes: 0,
      freedBytes: 0,
      storedBytes: 0,
    }
  }

  /** Removes condemned packs whose time has come, or copies out of them what is still needed, for a later run. */
  async sweep(): Promise<void> {
    const { inventory, uses } = this.#view
    const ripe = [...inventory.packs.entries()].filter(
      ([, { state, name }]) => (state === 'stored' || state === 'resized') && this.#view.isRipe(name ?? ''),
    )
    const found = ripe.map(([number]) => ({ number, needed: uses.onlyCopies(number) }))
    const useless = found.filter(({ needed }) => needed.length === 0).map(({ number }) => number)
    this.#refuseToEmpty(useless)
    await forEachParallel(
      useless,
      removalsAtOnce,
      (number, { signal }) => this.#remove(number, { signal }),
      this.#options,
    )
    const toRescue = this.#withinBudget(found.filter(({ needed }) => needed.length > 0))
    await this.#copy(toRescue, this.#report.rescued, async () => undefined)
  }

  /**
   * Condemns packs of which nothing is needed: without a reachable chunk, or with copies only of what is elsewhere, and
   * whole there. Then copies what is needed out of the most wasteful others, and condemns these.
   */
  async condemn(): Promise<void> {
    const all = this.#view.uses.all()
    const old = all.filter(({ number }) => !this.#view.isYoung(number))
    const useless = await this.#withWholeCopies(old.filter(({ needed }) => needed.length === 0))
    this.#refuseToEmpty(useless)
    await this.#condemn(useless.map(({ number }) => number))

    let unusedBytes = sum(all, (use) => use.unusedBytes) - sum(useless, (use) => use.unusedBytes)
    const toleratedBytes = toleratedUnused * sum(all, (use) => use.neededBytes)
    const wasteful = old
      .filter((use) => use.unusedBytes > 0 && use.needed.length > 0)
      .toSorted((a, b) => wasteOf(b) - wasteOf(a))
    const chosen: PackUse[] = []
    for (const use of this.#withinBudget(wasteful)) {
      if (unusedBytes <= toleratedBytes) break
      unusedBytes -= use.unusedBytes
      chosen.push(use)
    }
    this.#report.unusedBytes = unusedBytes
    await this.#copy(await this.#withWholeCopies(chosen), this.#report.repacked, (numbers) => this.#condemn(numbers))
  }

  /** Brings the index and the tombstones up to date. */
  async tidy(): Promise<void> {
    if (this.#options.dryRun === true) return
    const { inventory, uses, now, unreadable } = this.#view
    const gone = new Set(this.#removed)
    for (const [number, { name = '', state, condemned }] of inventory.packs.entries()) {
      if (state === 'missing' && condemned && uses.onlyCopies(number).length === 0) gone.add(name)
    }
    const work = { context: this.#context, inventory, now, gone, unreadable }
    const indexes = await tidyIndexes(work, this.#options)
    this.#report.storedBytes += indexes.storedBytes
    this.#report.freedBytes += indexes.freedBytes + (await dropTombstones(work, this.#options))
  }

  report(): PruneReport {
    const waiting = { packs: 0, bytes: 0 }
    let until = 0
    for (const { name = '', state, condemned, sizeBytes } of this.#view.inventory.packs) {
      if (!condemned || (state !== 'stored' && state !== 'resized') || this.#removed.has(name)) continue
      count(waiting, sizeBytes)
      until = Math.max(until, this.#view.ripeAt(name))
    }
    const storedBytes = this.#report.storedBytes + this.#copier.storedBytes
    const damaged = [...new Set([...this.#view.unreadable.values(), ...this.#packs.damaged])].toSorted()
    const waitingUntil = waiting.packs === 0 ? null : new Date(until)
    return { ...this.#report, storedBytes, waiting, waitingUntil, damaged }
  }

  /** Where there is no backup at all, somebody has rather lost the records than forgotten every one of them. */
  #refuseToEmpty(useless: readonly unknown[]): void {
    if (this.#view.hasBackups || useless.length === 0) return
    throw new AppError('object-missing', `there is no backup in ${this.#context.store.location}, but data of some`, {
      hint: 'nothing was removed; if all were forgotten on purpose, remove the repository itself, else copy "records" from where it still is',
    })
  }

  /**
   * Packs of which something may go because older copies stay: only when these were read and are whole, so that nothing
   * can be restored less well for it. Reads no more than may be copied, one pack at least; a later run goes on.
   */
  async #withWholeCopies(uses: readonly PackUse[]): Promise<PackUse[]> {
    const found: PackUse[] = []
    for (const use of uses) {
      let areWhole = true
      for (const number of use.olderCopiesIn) areWhole &&= await this.#isWhole(number)
      if (areWhole) found.push(use)
    }
    return found
  }

  async #isWhole(number: number): Promise<boolean> {
    const known = this.#verified.get(number)
    if (known !== undefined) return known
    if (this.#options.dryRun === true) return true
    const read = sum([...this.#verified.keys()], (verified) => this.#view.inventory.pack(verified).sizeBytes)
    if (read >= Math.max(1, this.#mostCopiedBytes)) return false
    const isWhole = (await this.#packs.get(number, this.#options)) !== undefined
    this.#verified.set(number, isWhole)
    return isWhole
  }

  /** At least one, so that every run gets on. */
  #withinBudget<Work extends { readonly needed: readonly number[] }>(works: readonly Work[]): Work[] {
    const { repacked, rescued } = this.#report
    let bytes = repacked.bytes + rescued.bytes
    return works.filter(({ needed }, index) => {
      const more = this.#bytesOf(needed)
      if (index > 0 && bytes + more > this.#mostCopiedBytes) return false
      bytes += more
      return true
    })
  }

  #bytesOf(blobs: readonly number[]): number {
    return sum(blobs, (blob) => this.#view.inventory.blobs.place(blob).storedBytes)
  }

  async #remove(number: number, options: AbortOptions): Promise<void> {
    const { kind, name = '', sizeBytes } = this.#view.inventory.pack(number)
    if (this.#options.dryRun !== true) await this.#context.store.delete(packKey(kind, name), options)
    this.#removed.add(name)
    count(this.#report.removed, sizeBytes)
    this.#report.freedBytes += sizeBytes
  }

  async #condemn(numbers: readonly number[]): Promise<void> {
    if (numbers.length === 0) return
    const packs = numbers.map((number) => this.#view.inventory.pack(number))
    if (this.#options.dryRun !== true) {
      const names = packs.map(({ name = '' }) => name)
      this.#report.storedBytes += await this.#context.tombstones.condemn(names, this.#options)
    }
    for (const pack of packs) {
      pack.condemned = true
      count(this.#report.condemned, pack.sizeBytes)
    }
  }

  /** Copies what is needed out of each pack; `onCopied` is called with those whose copies are durable and indexed. */
  async #copy(
    works: readonly { readonly number: number; readonly needed: readonly number[] }[],
    counter: PackCount,
    onCopied: (numbers: readonly number[]) => Promise<void>,
  ): Promise<void> {
    const totalBytes = sum(works, ({ needed }) => this.#bytesOf(needed))
    let copied: number[] = []
    let readBytes = 0
    const flush = async () => {
      if (this.#options.dryRun !== true) await this.#copier.finish(this.#options)
      await onCopied(copied)
      copied = []
      readBytes = 0
    }
    const read = async (work: (typeof works)[number], { signal }: AbortOptions) => ({
      ...work,
      bytes: this.#options.dryRun === true ? undefined : await this.#packs.get(work.number, { signal }),
    })
    for await (const { number, needed, bytes } of readAhead(works, packsAhead, read, this.#options)) {
      if (bytes) await this.#copier.copy({ number, bytes }, needed, this.#options)
      else if (this.#options.dryRun !== true) continue
      count(counter, this.#bytesOf(needed))
      this.#options.onProgress?.({ doneBytes: counter.bytes, totalBytes })
      copied.push(number)
      readBytes += this.#view.inventory.pack(number).sizeBytes
      if (readBytes >= batchBytes) await flush()
    }
    await flush()
  }
}

function sum<Item>(items: readonly Item[], valueOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0)
}

function wasteOf({ unusedBytes, sizeBytes }: PackUse): number {
  return unusedBytes / sizeBytes
}
