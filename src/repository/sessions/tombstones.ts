import type { KeyObject } from 'node:crypto'
import { ulid } from 'ulid'
import { z } from 'zod'
import { hasCode, type AppError } from '../../core/app-error.ts'
import type { AbortOptions, ObjectStore } from '../../store/object-store.ts'
import { damagedObject } from '../objects/damaged-object.ts'
import { readAhead } from '../objects/read-ahead.ts'
import { getSealed, listSealed, putSealed, type SealedObjectInfo } from '../objects/sealed-object.ts'

/**
 * So long after it was written a tombstone may be dropped, once its packs are gone. No session lasts as long: it would
 * not learn what became of packs that it relies on.
 */
export const tombstoneLifetimeMs = 30 * 24 * 3600 * 1000

const packNames = z.array(z.string().regex(/^[0-9a-f]{64}$/))
const tombstoneSchema = z.object({ condemned: packNames, deleted: packNames, replacement: z.boolean().optional() })
type Tombstone = z.output<typeof tombstoneSchema>

/** What all tombstones say together. Times are the store's. */
export interface Condemnations {
  /** When each condemned pack was named first. */
  readonly packs: ReadonlyMap<string, Date>
  /**
   * When a damaged tombstone was replaced last. Whoever began to rely on packs before that does not know any more which of
   * them were condemned, and perhaps removed.
   */
  readonly replacedAt: Date | undefined
}

interface StoredTombstone extends SealedObjectInfo {
  readonly packs: readonly string[]
  readonly isReplacement: boolean
}

/**
 * Which packs are condemned: nothing new may rely on them, and once the grace period is over they may be deleted.
 * A tombstone is never revoked.
 */
export class TombstoneBook {
  readonly #store: ObjectStore
  readonly #metadataKey: KeyObject
  /** Each is read once: tombstones never change, and what a replacement says is said under a new name, too. */
  readonly #read = new Map<string, Tombstone>()

  constructor(store: ObjectStore, metadataKey: KeyObject) {
    this.#store = store
    this.#metadataKey = metadataKey
  }

  /**
   * A tombstone that can not be read rejects with `object-damaged`, since it is unknown what it condemns, unless
   * `onDamaged` takes it.
   */
  async condemnations(options: TombstoneOptions = {}): Promise<Condemnations> {
    const condemned = new Map<string, Date>()
    let replacedAt: Date | undefined
    for (const { packs, modifiedAt, isReplacement } of await this.tombstones(options)) {
      for (const pack of packs) {
        const earlier = condemned.get(pack)
        if (!earlier || modifiedAt < earlier) condemned.set(pack, modifiedAt)
      }
      if (isReplacement && (!replacedAt || replacedAt < modifiedAt)) replacedAt = modifiedAt
    }
    return { packs: condemned, replacedAt }
  }

  /** Each with the packs that it condemns, and when it did; see `condemnations`. */
  async tombstones(options: TombstoneOptions = {}): Promise<readonly StoredTombstone[]> {
    const read = async (info: SealedObjectInfo) => {
      const { condemned: packs = [], replacement = false } = (await this.#get(info, options)) ?? {}
      return { ...info, packs, isReplacement: replacement }
    }
    const found = await Array.fromAsync(readAhead(listSealed(this.#store, 'gc', options), 4, read, options))
    if (!found.some(({ isReplacement }) => isReplacement)) return found
    // What was listed may have been the damaged one, long before this took its place: it condemns from then on only.
    const times = new Map<string, Date>()
    for await (const { id, modifiedAt } of listSealed(this.#store, 'gc', options)) times.set(id, modifiedAt)
    return found.map((tombstone) => {
      const replacedAt = tombstone.isReplacement ? times.get(tombstone.id) : undefined
      return replacedAt ? { ...tombstone, modifiedAt: replacedAt } : tombstone
    })
  }

  /** Returns the bytes stored once the tombstone is durable. */
  condemn(packs: readonly string[], options: AbortOptions = {}): Promise<number> {
    return this.#put(ulid(), { condemned: [...packs], deleted: [] }, options)
  }

  /**
   * Takes the place of damaged tombstones. Nobody knows any more what they condemned, and some prune may still act upon
   * them: so `packs` are all that are there, and sessions that are under way can not commit.
   */
  async replace(ids: readonly string[], packs: readonly string[], options: AbortOptions = {}): Promise<void> {
    // under a new name first: whoever has read a tombstone before does not read it again
    for (const id of [ulid(), ...ids]) {
      await this.#put(id, { condemned: [...packs], deleted: [], replacement: true }, options)
    }
  }

  #put(id: string, tombstone: Tombstone, options: AbortOptions): Promise<number> {
    const content = Buffer.from(JSON.stringify(tombstoneSchema.parse(tombstone)))
    return putSealed(this.#store, this.#metadataKey, { kind: 'gc', id, content }, options)
  }

  /** Undefined for one that can not be read, or is gone. */
  async #get({ id, key }: SealedObjectInfo, options: TombstoneOptions): Promise<Tombstone | undefined> {
    const known = this.#read.get(id)
    if (known) return known
    try {
      const content = await getSealed(this.#store, this.#metadataKey, { kind: 'gc', id }, options)
      const tombstone = parseTombstone(key, content)
      this.#read.set(id, tombstone)
      return tombstone
    } catch (error) {
      if (hasCode(error, 'object-missing')) return undefined // dropped since it was listed, for its packs are long gone
      if (!options.onDamaged || !hasCode(error, 'object-damaged')) throw error
      options.onDamaged(key, error)
      return undefined
    }
  }
}

interface TombstoneOptions extends AbortOptions {
  readonly onDamaged?: (key: string, error: AppError) => void
}

function parseTombstone(key: string, content: Buffer): Tombstone {
  try {
    return tombstoneSchema.parse(JSON.parse(content.toString('utf8')))
  } catch (error) {
    throw damagedObject(key, error)
  }
}
