import { ulid } from 'ulid'
import type { AbortOptions } from '../../store/object-store.ts'
import { formatIndex, type IndexedPack } from './index-object.ts'
import type { Inventory } from './inventory.ts'
import { packKey, type PackKind } from '../objects/object-keys.ts'
import { PackBuilder } from './pack-builder.ts'
import { metadataKeyNumber } from './pack-directory.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { putSealed } from '../objects/sealed-object.ts'

const mostKeys = 200

interface OpenPack {
  readonly builder: PackBuilder
  /** The key ring's number of each of its data keys. */
  readonly slots: number[]
  readonly blobs: { readonly id: Buffer; readonly key: number; readonly offset: number; readonly from: number }[]
}

/** Copies blobs, as they are, out of packs into new ones; needs no key that opens data. Nothing counts before `finish`. */
export class BlobCopier {
  readonly #context: RepositoryContext
  readonly #inventory: Inventory
  readonly #open: Partial<Record<PackKind, OpenPack>> = {}
  /** First copies of what was copied already. */
  readonly #copied: Readonly<Record<PackKind, Set<number>>> = { data: new Set(), meta: new Set() }
  #unindexed: IndexedPack[] = []
  /** Of packs and index objects. */
  storedBytes = 0

  constructor(context: RepositoryContext, inventory: Inventory) {
    this.#context = context
    this.#inventory = inventory
  }

  /** `bytes`: the whole pack, whose `blobs` are known to be good. */
  async copy(
    pack: { readonly number: number; readonly bytes: Buffer },
    blobs: readonly number[],
    options: AbortOptions,
  ): Promise<void> {
    const { kind, keys } = this.#inventory.pack(pack.number)
    for (const blob of blobs) {
      const first = this.#inventory.blobs.firstCopy(blob)
      if (this.#copied[kind].has(first)) continue
      this.#copied[kind].add(first)
      const { offset, storedBytes, rawBytes, key } = this.#inventory.blobs.place(blob)
      const open = (this.#open[kind] ??= { builder: new PackBuilder(), slots: [], blobs: [] })
      const id = this.#inventory.blobs.idOf(blob)
      const parts = [Buffer.from(pack.bytes.subarray(offset, offset + storedBytes))] // the builder takes their memory
      const newKey = key === metadataKeyNumber ? key : this.#keyNumber(open, keys[key])
      const place = open.builder.append(id, { parts, key: newKey, rawBytes })
      open.blobs.push({ id, key: newKey, offset: place.offset, from: blob })
      const isFull = open.builder.sizeBytes >= this.#context.config.packBytes || open.slots.length >= mostKeys
      if (isFull) await this.#seal(kind, open, options)
    }
  }

  /** Resolves once all copies are durable and indexed; the inventory knows them then. More may be copied afterwards. */
  async finish(options: AbortOptions): Promise<void> {
    for (const kind of ['data', 'meta'] as const) {
      const open = this.#open[kind]
      if (open) await this.#seal(kind, open, options)
    }
    if (this.#unindexed.length === 0) return
    const { store, keys } = this.#context
    const index = { kind: 'index', id: ulid(), content: formatIndex(this.#unindexed) } as const
    this.storedBytes += await putSealed(store, keys.metadata, index, options)
    this.#unindexed = []
  }

  #keyNumber({ builder, slots }: OpenPack, slot: number | undefined): number {
    if (slot === undefined) throw new RangeError('a blob names a key that is not there')
    const known = slots.indexOf(slot)
    if (known >= 0) return known
    slots.push(slot)
    return builder.addKey(this.#context.keyRing.wrapped(slot))
  }

  async #seal(kind: PackKind, open: OpenPack, options: AbortOptions): Promise<void> {
    delete this.#open[kind]
    const { store, keys } = this.#context
    const { parts, directory, ...made } = open.builder.finish(keys.metadata)
    await store.put(packKey(kind, made.name), parts, options)
    this.storedBytes += made.sizeBytes
    this.#unindexed.push({ kind, ...made, directory })
    const pack = this.#inventory.addPack({ kind, ...made, keys: open.slots, state: 'stored', condemned: false })
    const { blobs } = this.#inventory
    for (const { id, key, offset, from } of open.blobs) {
      const { storedBytes, rawBytes } = blobs.place(from)
      blobs.add(id, { pack, offset, storedBytes, rawBytes, key })
    }
  }
}
