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
const tombstoneSchema = z.object({ condemned: packNames, deleted: packNames })

/**
 * Which packs are condemned: nothing new may rely on them, and once the grace period is over they may be deleted.
 * A tombstone is never revoked.
 */
export class TombstoneBook {
  readonly #store: ObjectStore
  readonly #metadataKey: KeyObject
  /** Tombstones never change, so each is read once. */
  readonly #read = new Map<string, readonly string[]>()

  constructor(store: ObjectStore, metadataKey: KeyObject) {
    this.#store = store
    this.#metadataKey = metadataKey
  }

  /**
   * All condemned packs with the time, by the store's clock, of their first tombstone. A tombstone that can not be read
   * rejects with `object-damaged`, since it is unknown what it condemns, unless `onDamaged` takes it.
   */
  async condemned(
    options: AbortOptions & { readonly onDamaged?: (key: string, error: AppError) => void } = {},
  ): Promise<ReadonlyMap<string, Date>> {
    const condemned = new Map<string, Date>()
    for await (const { packs, modifiedAt } of this.tombstones(options)) {
      for (const pack of packs) {
        const earlier = condemned.get(pack)
        if (!earlier || modifiedAt < earlier) condemned.set(pack, modifiedAt)
      }
    }
    return condemned
  }

  /** Each with the packs that it condemns; see `condemned`. */
  tombstones(
    options: AbortOptions & { readonly onDamaged?: (key: string, error: AppError) => void } = {},
  ): AsyncIterable<SealedObjectInfo & { readonly packs: readonly string[] }> {
    const read = async (tombstone: SealedObjectInfo) => ({
      ...tombstone,
      packs: await this.#packsOf(tombstone, options),
    })
    return readAhead(listSealed(this.#store, 'gc', options), 4, read, options)
  }

  /** Returns the bytes stored once the tombstone is durable. `id`: of a damaged one, whose place it takes. */
  async condemn(packs: readonly string[], options: AbortOptions & { readonly id?: string } = {}): Promise<number> {
    const content = Buffer.from(JSON.stringify(tombstoneSchema.parse({ condemned: packs, deleted: [] })))
    return putSealed(this.#store, this.#metadataKey, { kind: 'gc', id: options.id ?? ulid(), content }, options)
  }

  async #packsOf(
    { id, key }: SealedObjectInfo,
    options: AbortOptions & { readonly onDamaged?: (key: string, error: AppError) => void },
  ): Promise<readonly string[]> {
    const known = this.#read.get(id)
    if (known) return known
    try {
      const content = await getSealed(this.#store, this.#metadataKey, { kind: 'gc', id }, options)
      const packs = parseTombstone(key, content)
      this.#read.set(id, packs)
      return packs
    } catch (error) {
      if (hasCode(error, 'object-missing')) return [] // dropped since it was listed, for its packs are long gone
      if (!options.onDamaged || !hasCode(error, 'object-damaged')) throw error
      options.onDamaged(key, error)
      return []
    }
  }
}

function parseTombstone(key: string, content: Buffer): readonly string[] {
  try {
    return tombstoneSchema.parse(JSON.parse(content.toString('utf8'))).condemned
  } catch (error) {
    throw damagedObject(key, error)
  }
}
