import { hasCode, type AppError } from '../../core/app-error.ts'
import { releaseMemory } from '../../core/release-memory.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { BlobIndex } from './blob-index.ts'
import { damagedObject } from '../objects/damaged-object.ts'
import { parseIndex } from './index-object.ts'
import { packKey, packNameOf, packPrefix, type PackKind } from '../objects/object-keys.ts'
import type { PackDirectory } from './pack-directory.ts'
import { readPackDirectory } from './pack-trailer.ts'
import { readAhead } from '../objects/read-ahead.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { getSealed, listSealed, type SealedObjectInfo } from '../objects/sealed-object.ts'

export interface InventoryPack {
  readonly kind: PackKind
  /** Undefined while it is still being filled. */
  name: string | undefined
  /** As the index says, or of the blobs so far. */
  sizeBytes: number
  /** The blobs' key numbers as numbers of the key ring. */
  readonly keys: readonly number[]
  /** `open`: of the session under way. `missing`: not in the store. `resized`: the store's object has another length. */
  state: 'open' | 'stored' | 'missing' | 'resized'
  condemned: boolean
  /** When it was stored, by the store's clock; undefined for one that the store did not list. */
  storedAt?: Date
}

type DamageListener = (key: string, error: AppError) => void

/** All packs, and which blobs lie in them. */
export class Inventory {
  readonly packs: InventoryPack[] = []
  readonly blobs = new BlobIndex()
  /** Packs that no index object names. */
  readonly unindexed: number[] = []
  /** The numbers of the packs that each index object names, by its id. */
  readonly indexes = new Map<string, readonly number[]>()
  readonly #byName = new Map<string, number>()
  /** By the numbers of stored packs. */
  readonly #firstBlobs = new Map<number, number>()

  /**
   * Reads the index, lists the packs and reads the directories of those that the index lacks, such as a crashed session
   * left behind. An index object or a directory that can not be read leaves its packs out and is told to `onDamaged`;
   * a damaged tombstone rejects unless there is an `onDamaged`.
   */
  static async load(
    context: RepositoryContext,
    options: AbortOptions & { readonly onDamaged?: DamageListener } = {},
  ): Promise<Inventory> {
    const inventory = new Inventory()
    const { packs: condemned } = await context.tombstones.condemnations(options)
    await inventory.#loadIndex(context, condemned, options)
    // Packs are stored before the index names them, so what is listed after the index was read is all that it can name.
    const unknown = await inventory.#compareWithStore(context, options)
    await inventory.#loadTrailers(context, unknown, condemned, options)
    return inventory
  }

  /** Enters a pack and returns its number. */
  addPack(pack: InventoryPack): number {
    this.packs.push(pack)
    if (pack.name !== undefined) this.#byName.set(pack.name, this.packs.length - 1)
    return this.packs.length - 1
  }

  hasPack(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Undefined for a pack that it does not know. */
  numberOf(name: string): number | undefined {
    return this.#byName.get(name)
  }

  pack(number: number): InventoryPack {
    const pack = this.packs[number]
    if (!pack) throw new RangeError(`no pack ${number}`)
    return pack
  }

  packOf(blob: number): InventoryPack {
    return this.pack(this.blobs.packOf(blob))
  }

  /** The numbers of a stored pack's blobs, in the order in which they lie there. */
  *blobsOf(pack: number): Iterable<number> {
    const first = this.#firstBlobs.get(pack) ?? this.blobs.size
    for (let blob = first; blob < this.blobs.size && this.blobs.packOf(blob) === pack; blob++) yield blob
  }

  async #loadIndex(
    context: RepositoryContext,
    condemned: ReadonlyMap<string, Date>,
    options: AbortOptions & { readonly onDamaged?: DamageListener },
  ): Promise<void> {
    const { store, keys } = context
    let wasMerged: boolean
    const read = async ({ id, key }: SealedObjectInfo) => {
      try {
        const content = await getSealed(store, keys.metadata, { kind: 'index', id }, options)
        return { id, packs: parseIndexObject(key, content), content }
      } catch (error) {
        // it only repeats what the packs say of themselves
        if (!hasCode(error, 'object-damaged', 'object-missing')) throw error
        if (error.code === 'object-damaged') options.onDamaged?.(key, error)
        else wasMerged = true
        return undefined
      }
    }
    // what is removed after it was listed has been merged into another one, which a second look finds
    do {
      wasMerged = false
      for await (const index of readAhead(this.#unreadIndexes(context, options), 4, read, options)) {
        if (!index) continue
        this.#addIndex(index, condemned, context)
        releaseMemory(index.content)
      }
    } while (wasMerged)
  }

  async *#unreadIndexes({ store }: RepositoryContext, options: AbortOptions): AsyncIterable<SealedObjectInfo> {
    for await (const info of listSealed(store, 'index', options)) if (!this.indexes.has(info.id)) yield info
  }

  #addIndex(
    { id, packs }: { readonly id: string; readonly packs: ReturnType<typeof parseIndex> },
    condemned: ReadonlyMap<string, Date>,
    context: RepositoryContext,
  ): void {
    const numbers = packs.map(({ name, kind, sizeBytes, directory }) => {
      const known = this.#byName.get(name)
      if (known !== undefined) return known
      const pack = { name, kind, sizeBytes, state: 'missing', condemned: condemned.has(name) } as const
      return this.#addStored(pack, directory, context)
    })
    this.indexes.set(id, numbers)
  }

  /** Returns the packs that the store holds and the index does not know. */
  async #compareWithStore(context: RepositoryContext, options: AbortOptions): Promise<UnknownPack[]> {
    const unknown: UnknownPack[] = []
    for (const kind of ['data', 'meta'] as const) {
      for await (const { key, sizeBytes, modifiedAt } of context.store.list(packPrefix(kind), options)) {
        const name = packNameOf(kind, key)
        if (name === undefined) continue
        const known = this.packs[this.#byName.get(name) ?? -1]
        if (!known || known.kind !== kind) {
          unknown.push({ name, kind, sizeBytes, storedAt: modifiedAt })
          continue
        }
        known.state = known.sizeBytes === sizeBytes ? 'stored' : 'resized'
        known.storedAt = modifiedAt
      }
    }
    return unknown
  }

  async #loadTrailers(
    context: RepositoryContext,
    unknown: readonly UnknownPack[],
    condemned: ReadonlyMap<string, Date>,
    options: AbortOptions & { readonly onDamaged?: DamageListener },
  ): Promise<void> {
    const read = async (pack: UnknownPack, { signal }: { signal: AbortSignal }) => {
      const key = packKey(pack.kind, pack.name)
      try {
        const directory = await readPackDirectory(
          context.store,
          { key, sizeBytes: pack.sizeBytes },
          context.keys.metadata,
          { signal },
        )
        return { ...pack, directory }
      } catch (error) {
        if (!hasCode(error, 'object-damaged', 'object-missing')) throw error
        if (error.code === 'object-damaged') options.onDamaged?.(key, error)
        return undefined
      }
    }
    for await (const pack of readAhead(unknown, 8, read, options)) {
      if (!pack) continue
      const { directory, ...rest } = pack
      const number = this.#addStored(
        { ...rest, state: 'stored', condemned: condemned.has(rest.name) },
        directory,
        context,
      )
      this.unindexed.push(number)
    }
  }

  #addStored(pack: Omit<InventoryPack, 'keys'>, directory: PackDirectory, { keyRing }: RepositoryContext): number {
    const number = this.addPack({ ...pack, keys: directory.keys.map((wrapped) => keyRing.intern(wrapped)) })
    this.#firstBlobs.set(number, this.blobs.size)
    this.blobs.addPack(number, directory.entries)
    return number
  }
}

interface UnknownPack {
  readonly name: string
  readonly kind: PackKind
  readonly sizeBytes: number
  readonly storedAt: Date
}

function parseIndexObject(key: string, content: Buffer): ReturnType<typeof parseIndex> {
  try {
    return parseIndex(content)
  } catch (error) {
    throw damagedObject(key, error)
  }
}
