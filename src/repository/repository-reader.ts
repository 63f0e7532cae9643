import type { KeyObject } from 'node:crypto'
import { AppError, hasCode } from '../core/app-error.ts'
import { releaseMemory } from '../core/release-memory.ts'
import type { AbortOptions } from '../store/object-store.ts'
import { decodeBlob } from './chunks/blob-codec.ts'
import type { BlobPlace } from './packs/blob-index.ts'
import { damagedObject } from './objects/damaged-object.ts'
import { Inventory, type InventoryPack } from './packs/inventory.ts'
import { packKey } from './objects/object-keys.ts'
import { metadataKeyNumber } from './packs/pack-directory.ts'
import { readAhead } from './objects/read-ahead.ts'
import type { RepositoryContext } from './repository-context.ts'
import { idsOfList, type StreamRef } from './chunks/stream-ref.ts'

/** One request reads at most this much, unless a single blob is longer. */
const longestReadBytes = 4 * 1024 * 1024
/** Reading over blobs of other streams is cheaper than another request. */
const widestGapBytes = 128 * 1024
const readsAhead = 3

/** The lower, the rather is a copy in such a pack read. */
const stateRank = { stored: 0, open: 0, resized: 4, missing: 8 } as const satisfies Record<
  InventoryPack['state'],
  number
>

/** Neighbouring blobs of one pack that are fetched at once, in the order of the stream. */
interface Run {
  readonly inventory: Inventory
  readonly pack: number
  readonly start: number
  end: number
  readonly blobs: { readonly id: Buffer; readonly blob: number }[]
}

/**
 * Reads streams of backups that were there when the reader was opened. Any number may be read side by side, for as long as
 * it takes: a prune may move what they consist of meanwhile.
 */
export class RepositoryReader {
  readonly #context: RepositoryContext
  #inventory: Inventory
  /** Those that tell of packs that are gone by now. */
  readonly #outdated = new WeakSet<Inventory>()
  #loading: Promise<Inventory> | undefined

  constructor(context: RepositoryContext, inventory: Inventory) {
    this.#context = context
    this.#inventory = inventory
  }

  static async open(context: RepositoryContext, options: AbortOptions = {}): Promise<RepositoryReader> {
    return new RepositoryReader(context, await loadInventory(context, options))
  }

  /**
   * The bytes of a stream; every chunk is proven to be what was written, and every copy of it is tried. Pieces are not
   * to be changed; with `lent`, each is there only until the next is asked for. Throws `object-damaged` or
   * `object-missing`, which name the pack, and `key-cannot-read`.
   */
  async *read(stream: StreamRef, options: AbortOptions & { readonly lent?: boolean } = {}): AsyncIterable<Uint8Array> {
    for await (const piece of this.readAround(stream, options)) {
      if (piece instanceof AppError) throw piece
      yield piece
    }
  }

  /** Like `read`, but goes on after what is lost: in its place stands the error that `read` throws. */
  async *readAround(
    stream: StreamRef,
    options: AbortOptions & { readonly lent?: boolean } = {},
  ): AsyncIterable<Uint8Array | AppError> {
    let bytes = 0
    let isWhole = true
    let last: { id: Buffer; raw: Buffer } | undefined
    const fetch = async (run: Run | AppError, { signal }: { signal: AbortSignal }) =>
      run instanceof AppError ? run : { run, fetched: await this.#fetch(run, { signal }) }
    for await (const piece of readAhead(this.#runs(stream, options), readsAhead, fetch, options)) {
      if (piece instanceof AppError) {
        isWhole = false
        yield piece
        continue
      }
      for (const { id, blob } of piece.run.blobs) {
        const repeated = last?.id.equals(id) ? last.raw : undefined
        if (options.lent && last && !repeated) releaseMemory(last.raw)
        const raw = repeated ?? (await this.#decodeOrElsewhere(id, blob, piece, options))
        if (hasCode(raw, 'key-wrong')) throw raw
        last = Buffer.isBuffer(raw) ? { id, raw } : undefined
        isWhole &&= Buffer.isBuffer(raw)
        bytes += Buffer.isBuffer(raw) ? raw.length : 0
        yield raw
      }
    }
    if (isWhole && bytes !== stream.bytes) {
      yield new AppError('object-damaged', `a stream has ${bytes} bytes where its backup says ${stream.bytes}`)
    }
  }

  /** One chunk from whichever copy is whole. */
  async readBlob(id: Buffer, options: AbortOptions = {}): Promise<Buffer> {
    const inventory = this.#inventory
    const blob = bestCopy(inventory, id)
    if (blob === undefined) throw this.#unknownChunk(id)
    const run = this.#runOf(id, blob, inventory)
    const raw = await this.#decodeOrElsewhere(id, blob, { run, fetched: await this.#fetch(run, options) }, options)
    if (Buffer.isBuffer(raw)) return raw
    throw raw
  }

  /** The chunk ids in the list `hexId`. */
  async readList(hexId: string, options: AbortOptions = {}): Promise<Buffer[]> {
    const list = await this.readBlob(Buffer.from(hexId, 'hex'), options)
    try {
      return idsOfList(list)
    } catch (error) {
      throw damagedObject(`list ${hexId}`, error)
    }
  }

  /** Yields an error for a list that can not be read and for a chunk that lies nowhere. */
  async *#runs(stream: StreamRef, options: AbortOptions): AsyncIterable<Run | AppError> {
    let run: Run | undefined
    for (const list of stream.lists) {
      const ids = await this.#idsOrDamage(list, options)
      if (ids instanceof AppError) {
        if (run) yield run
        run = undefined
        yield ids
        continue
      }
      for (const id of ids) {
        const inventory = this.#inventory
        const blob = bestCopy(inventory, id)
        if (blob !== undefined && run?.inventory === inventory && this.#extend(run, id, blob)) continue
        if (run) yield run
        run = blob === undefined ? undefined : this.#runOf(id, blob, inventory)
        if (blob === undefined) yield this.#unknownChunk(id)
      }
    }
    if (run) yield run
  }

  async #idsOrDamage(list: string, options: AbortOptions): Promise<Buffer[] | AppError> {
    try {
      return await this.readList(list, options)
    } catch (error) {
      if (hasCode(error, 'object-damaged', 'object-missing')) return error
      throw error
    }
  }

  #runOf(id: Buffer, blob: number, inventory: Inventory): Run {
    const { pack, offset, storedBytes } = inventory.blobs.place(blob)
    return { inventory, pack, start: offset, end: offset + storedBytes, blobs: [{ id, blob }] }
  }

  #extend(run: Run, id: Buffer, blob: number): boolean {
    const { pack, offset, storedBytes } = run.inventory.blobs.place(blob)
    const end = Math.max(run.end, offset + storedBytes)
    const isNear = offset >= run.start && offset <= run.end + widestGapBytes
    if (pack !== run.pack || !isNear || end - run.start > longestReadBytes) return false
    run.end = end
    run.blobs.push({ id, blob })
    return true
  }

  /** What could not be fetched is an error to be thrown once no other copy helps. */
  async #fetch(run: Run, options: AbortOptions): Promise<Buffer | AppError> {
    const range = { offset: run.start, length: run.end - run.start }
    try {
      return await this.#context.store.get(keyOf(run.inventory, run.pack), { ...options, range })
    } catch (error) {
      if (!hasCode(error, 'object-missing')) throw error
      if (run.inventory.pack(run.pack).state === 'stored') this.#outdated.add(run.inventory)
      return error
    }
  }

  async #decodeOrElsewhere(
    id: Buffer,
    blob: number,
    { run, fetched }: { readonly run: Run; readonly fetched: Buffer | AppError },
    options: AbortOptions,
  ): Promise<Buffer | AppError> {
    const { inventory } = run
    const first = await this.#decode(id, blob, run, fetched)
    if (Buffer.isBuffer(first)) return first
    for (const copy of inventory.blobs.copies(id)) {
      if (copy === blob) continue
      const other = this.#runOf(id, copy, inventory)
      const raw = await this.#decode(id, copy, other, await this.#fetch(other, options))
      if (Buffer.isBuffer(raw)) return raw
    }
    if (!this.#outdated.has(inventory)) return first
    // a prune has moved what is needed, and removed where it was, as it may when a day has passed
    const newer = await this.#newerThan(inventory, options)
    const moved = bestCopy(newer, id)
    if (moved === undefined) return first
    const again = this.#runOf(id, moved, newer)
    return this.#decodeOrElsewhere(id, moved, { run: again, fetched: await this.#fetch(again, options) }, options)
  }

  async #newerThan(outdated: Inventory, options: AbortOptions): Promise<Inventory> {
    if (this.#inventory !== outdated) return this.#inventory
    this.#loading ??= loadInventory(this.#context, {}).finally(() => (this.#loading = undefined)) // for all who wait
    this.#inventory = await this.#loading
    options.signal?.throwIfAborted()
    return this.#inventory
  }

  async #decode(id: Buffer, blob: number, run: Run, fetched: Buffer | AppError): Promise<Buffer | AppError> {
    if (!Buffer.isBuffer(fetched)) return fetched
    const place = run.inventory.blobs.place(blob)
    const start = place.offset - run.start
    try {
      const key = await this.#keyFor(place, run.inventory)
      return decodeBlob(fetched.subarray(start, start + place.storedBytes), {
        id,
        key,
        chunkIdKey: this.#context.keys.chunkIds,
        rawBytes: place.rawBytes,
      })
    } catch (error) {
      if (hasCode(error, 'key-cannot-read')) throw error
      return hasCode(error, 'key-wrong') ? error : damagedObject(keyOf(run.inventory, place.pack), error)
    }
  }

  async #keyFor({ pack, key }: BlobPlace, inventory: Inventory): Promise<KeyObject> {
    if (key === metadataKeyNumber) return this.#context.keys.metadata
    const slot = inventory.pack(pack).keys[key]
    if (slot === undefined) throw new RangeError(`no key ${key}`)
    return this.#context.keyRing.unwrap(slot)
  }

  #unknownChunk(id: Buffer): AppError {
    return new AppError(
      'object-missing',
      `chunk ${id.toString('hex')} is in no pack of ${this.#context.store.location}`,
      {
        hint: 'run "pgrevive check" to see which backups are touched',
      },
    )
  }
}

/** A reader finds its way around damaged indexes, and needs no tombstones. */
function loadInventory(context: RepositoryContext, options: AbortOptions): Promise<Inventory> {
  return Inventory.load(context, { ...options, onDamaged: () => undefined })
}

/** Metadata first, since any key opens it; what may be deleted or is not whole only if there is nothing else. */
function bestCopy(inventory: Inventory, id: Buffer): number | undefined {
  let best: number | undefined
  let bestRank = Infinity
  for (const blob of inventory.blobs.copies(id)) {
    const pack = inventory.packOf(blob)
    const rank = stateRank[pack.state] + (pack.condemned ? 2 : 0) + (pack.kind === 'meta' ? 0 : 1)
    if (rank < bestRank) [best, bestRank] = [blob, rank]
  }
  return best
}

function keyOf(inventory: Inventory, pack: number): string {
  const { kind, name } = inventory.pack(pack)
  if (name === undefined) throw new Error('a reader knows no open packs')
  return packKey(kind, name)
}
