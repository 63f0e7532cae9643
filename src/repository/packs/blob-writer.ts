import type { KeyObject } from 'node:crypto'
import { ulid } from 'ulid'
import type { AbortOptions } from '../../store/object-store.ts'
import { encodeBlob, verifyBlob } from '../chunks/blob-codec.ts'
import { chunkId } from '../chunks/chunk-id.ts'
import { DataKey } from '../keys/data-key.ts'
import { formatIndex, type IndexedPack } from './index-object.ts'
import type { Inventory } from './inventory.ts'
import { packKey, type PackKind } from '../objects/object-keys.ts'
import { PackBuilder } from './pack-builder.ts'
import { metadataKeyNumber } from './pack-directory.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { putSealed } from '../objects/sealed-object.ts'

const mostUploads = 2
/** A crash loses at most this much of the index; the packs' own directories then stand in for it. */
const packsPerIndex = 64
const indexEveryMs = 5 * 60 * 1000

interface OpenPack {
  readonly builder: PackBuilder
  readonly number: number
  /** None for metadata. */
  readonly dataKey: DataKey | undefined
}

/**
 * Stores what the repository does not hold yet. Fills one data pack and one metadata pack at a time and uploads full
 * ones in the background, two at most; then `add` waits. The first failure is thrown by whatever is called next.
 */
export class BlobWriter implements AsyncDisposable {
  readonly #context: RepositoryContext
  readonly #inventory: Inventory
  readonly #verify: boolean
  readonly #disposed = new AbortController()
  readonly #signal: AbortSignal
  readonly #open: Partial<Record<PackKind, OpenPack>> = {}
  readonly #uploads = new Set<Promise<void>>()
  /** Numbers of the packs that what was added lies in. */
  readonly #reliedOn = new Set<number>()
  /** Made for the first data pack: a session that adds nothing needs none. */
  #dataKey: DataKey | undefined
  #nextDataKey: Promise<DataKey> | undefined
  readonly #usedDataKeys = new Set<DataKey>()
  #unindexed: IndexedPack[] = []
  #indexedAt = performance.now()
  #storedBytes = 0
  #failure: { readonly error: unknown } | undefined

  /** `verifyBlobs`: open every blob again before it is uploaded. On unless it is false. */
  constructor(
    context: RepositoryContext,
    inventory: Inventory,
    options: AbortOptions & { readonly verifyBlobs?: boolean | undefined } = {},
  ) {
    this.#context = context
    this.#inventory = inventory
    this.#verify = options.verifyBlobs ?? true
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#disposed.signal]) : this.#disposed.signal
  }

  /** Aborts with the session's signal and when the writer is disposed. */
  get signal(): AbortSignal {
    return this.#signal
  }

  /** All that data was sealed with so far. */
  get dataKeys(): readonly DataKey[] {
    return [...this.#usedDataKeys]
  }

  /** All bytes handed to the store so far. */
  get storedBytes(): number {
    return this.#storedBytes
  }

  /** Stores one chunk unless it is stored. `raw` is not kept. */
  async add(kind: PackKind, raw: Uint8Array): Promise<{ readonly id: Buffer; readonly isNew: boolean }> {
    await this.#makeRoom(kind)
    const id = chunkId(this.#context.keys.chunkIds, raw)
    let known = this.#findUsable(kind, id)
    if (known === undefined && kind === 'data' && !this.#open.data) {
      await this.#prepareDataKey()
      known = this.#findUsable(kind, id) // somebody else may have added it meanwhile
    }
    if (known !== undefined) {
      this.#reliedOn.add(this.#inventory.blobs.packOf(known))
      return { id, isNew: false }
    }
    this.#store(kind, id, raw)
    return { id, isNew: true }
  }

  /** Resolves once everything that was added is durable and indexed. */
  async finish(): Promise<void> {
    for (const kind of ['data', 'meta'] as const) {
      const open = this.#open[kind]
      if (open) this.#seal(kind, open)
    }
    await Promise.all(this.#uploads)
    this.#throwIfStopped()
    await this.#writeIndex()
  }

  /** Names of the packs that what was added lies in. Call it after `finish`. */
  *packsReliedOn(): Iterable<string> {
    for (const number of this.#reliedOn) {
      const { name } = this.#inventory.pack(number)
      if (name === undefined) throw new Error('a pack is still open')
      yield name
    }
  }

  countStored(bytes: number): void {
    this.#storedBytes += bytes
  }

  /** Stops the uploads that are under way. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort()
    await Promise.all(this.#uploads)
  }

  /** Packs that are condemned, missing or of another length than they should be are not relied on. */
  #findUsable(kind: PackKind, id: Buffer): number | undefined {
    const { blobs } = this.#inventory
    for (let blob = blobs.first(id); blob !== undefined; blob = blobs.next(blob)) {
      const pack = this.#inventory.packOf(blob)
      if (pack.kind === kind && !pack.condemned && (pack.state === 'stored' || pack.state === 'open')) return blob
    }
    return undefined
  }

  #store(kind: PackKind, id: Buffer, raw: Uint8Array): void {
    const { config, keys } = this.#context
    const open = (this.#open[kind] ??= this.#openPack(kind))
    const key = open.dataKey?.key ?? keys.metadata
    const keyNumber = open.dataKey ? 0 : metadataKeyNumber
    const parts = encodeBlob(raw, { id, key, level: config.compression.level })
    const { offset, stored } = open.builder.append(id, { parts, key: keyNumber, rawBytes: raw.length })
    if (this.#verify) this.#verifyStored(stored, raw, { id, key })
    open.dataKey?.countUse(raw.length)
    this.#inventory.blobs.add(id, {
      pack: open.number,
      offset,
      storedBytes: stored.length,
      rawBytes: raw.length,
      key: keyNumber,
    })
    this.#reliedOn.add(open.number)
  }

  /** The pack is lost when this throws, and with it the session. */
  #verifyStored(stored: Buffer, raw: Uint8Array, blob: { readonly id: Buffer; readonly key: KeyObject }): void {
    try {
      verifyBlob(stored, raw, blob)
    } catch (cause) {
      const error = new Error('a chunk was not the same after compression and encryption; check the memory', { cause })
      this.#failure ??= { error }
      throw error
    }
  }

  #openPack(kind: PackKind): OpenPack {
    const dataKey = kind === 'data' ? this.#dataKey : undefined
    if (kind === 'data' && !dataKey) throw new Error('there is no data key yet')
    if (dataKey) this.#usedDataKeys.add(dataKey)
    const number = this.#inventory.addPack({
      kind,
      name: undefined,
      sizeBytes: 0,
      keys: [],
      state: 'open',
      condemned: false,
    })
    return { builder: new PackBuilder(dataKey ? [dataKey.wrapped] : []), number, dataKey }
  }

  /** Another one when it has been used for long. */
  async #prepareDataKey(): Promise<void> {
    if (this.#dataKey?.isWorn === false) return
    this.#nextDataKey ??= DataKey.create(this.#context.config.recipients)
    try {
      this.#dataKey = await this.#nextDataKey
    } finally {
      this.#nextDataKey = undefined
    }
  }

  /** Ends a full pack as soon as fewer than two are being uploaded. */
  async #makeRoom(kind: PackKind): Promise<void> {
    this.#throwIfStopped()
    for (;;) {
      const open = this.#open[kind]
      if (!open || open.builder.sizeBytes < this.#context.config.packBytes) return
      if (this.#uploads.size < mostUploads) this.#seal(kind, open)
      else await Promise.race(this.#uploads)
      this.#throwIfStopped()
      if (this.#unindexed.length >= packsPerIndex || performance.now() - this.#indexedAt > indexEveryMs) {
        await this.#writeIndex()
      }
    }
  }

  #seal(kind: PackKind, open: OpenPack): void {
    const { store, keys } = this.#context
    delete this.#open[kind]
    const { name, sizeBytes, parts, directory } = open.builder.finish(keys.metadata)
    const pack = this.#inventory.pack(open.number)
    pack.name = name
    pack.sizeBytes = sizeBytes
    const upload = store
      .put(packKey(kind, name), parts, { signal: this.#signal })
      .then(() => {
        this.#unindexed.push({ name, kind, sizeBytes, directory })
        this.#storedBytes += sizeBytes
      })
      .catch((error: unknown) => {
        this.#failure ??= { error } // thrown by the next call
      })
      .finally(() => this.#uploads.delete(upload))
    this.#uploads.add(upload)
  }

  async #writeIndex(): Promise<void> {
    const packs = this.#unindexed
    this.#unindexed = []
    this.#indexedAt = performance.now()
    if (packs.length === 0) return
    const { store, keys } = this.#context
    const index = { kind: 'index', id: ulid(), content: formatIndex(packs) } as const
    try {
      this.#storedBytes += await putSealed(store, keys.metadata, index, { signal: this.#signal })
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  #throwIfStopped(): void {
    if (this.#failure) throw this.#failure.error
    this.#signal.throwIfAborted()
  }
}
