import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import type { PackFindings } from './check-packs.ts'
import type { Inventory } from '../packs/inventory.ts'
import type { RepositoryReader } from '../repository-reader.ts'
import type { CommittedRecord } from '../sessions/stored-record.ts'
import type { StreamRef } from '../chunks/stream-ref.ts'

/** All streams of a record, those first that are read to find the others. */
export type StreamsOf = (
  record: CommittedRecord,
  reader: RepositoryReader,
) => AsyncIterable<{ readonly name: string; readonly stream: StreamRef }>

/** What stands between a stream and its being read in full. */
export interface StreamFinding {
  /** Numbers of packs that hold the only copies of a chunk. */
  readonly brokenPacks: ReadonlySet<number>
  /** A chunk lies in no pack at all. */
  readonly isDangling: boolean
  /** It holds more or less than it says. */
  readonly isMisstated: boolean
}

interface ListFinding {
  readonly brokenPacks: ReadonlySet<number>
  readonly isDangling: boolean
  /** Undefined if the list or a chunk is lost. */
  readonly totals: { readonly chunks: number; readonly bytes: number } | undefined
}

/** Follows streams to their chunks. Backups share most lists, so each is read once and only its outcome is kept. */
export class StreamChecker {
  readonly #inventory: Inventory
  readonly #reader: RepositoryReader
  readonly #packs: PackFindings
  /** By the number of the list's blob. */
  readonly #lists = new Map<number, ListFinding>()

  constructor(inventory: Inventory, reader: RepositoryReader, packs: PackFindings) {
    this.#inventory = inventory
    this.#reader = reader
    this.#packs = packs
  }

  async check(stream: StreamRef, options: AbortOptions = {}): Promise<StreamFinding> {
    const brokenPacks = new Set<number>()
    let isDangling = false
    let totals: { chunks: number; bytes: number } | undefined = { chunks: 0, bytes: 0 }
    for (const hexId of stream.lists) {
      const list = await this.#checkList(hexId, options)
      for (const pack of list.brokenPacks) brokenPacks.add(pack)
      isDangling ||= list.isDangling
      totals = totals &&
        list.totals && { chunks: totals.chunks + list.totals.chunks, bytes: totals.bytes + list.totals.bytes }
    }
    const isMisstated = totals !== undefined && (totals.chunks !== stream.chunks || totals.bytes !== stream.bytes)
    return { brokenPacks, isDangling, isMisstated }
  }

  async #checkList(hexId: string, options: AbortOptions): Promise<ListFinding> {
    const id = Buffer.from(hexId, 'hex')
    const blob = this.#goodCopy(id)
    if (blob === undefined) return { ...this.#lossOf([id]), totals: undefined }
    const known = this.#lists.get(blob)
    if (known) return known
    const finding = await this.#readList(hexId, blob, options)
    this.#lists.set(blob, finding)
    return finding
  }

  async #readList(hexId: string, blob: number, options: AbortOptions): Promise<ListFinding> {
    let ids: readonly Buffer[]
    try {
      ids = await this.#reader.readList(hexId, options)
    } catch (error) {
      if (!hasCode(error, 'object-damaged', 'object-missing')) throw error
      return { brokenPacks: new Set([this.#inventory.blobs.packOf(blob)]), isDangling: false, totals: undefined }
    }
    const copies = ids.map((chunk) => this.#goodCopy(chunk))
    const lost = ids.filter((_, index) => copies[index] === undefined)
    const bytes = copies.reduce<number>(
      (sum, copy) => sum + (copy === undefined ? 0 : this.#inventory.blobs.place(copy).rawBytes),
      0,
    )
    return { ...this.#lossOf(lost), totals: lost.length === 0 ? { chunks: ids.length, bytes } : undefined }
  }

  #goodCopy(id: Buffer): number | undefined {
    for (const blob of this.#inventory.blobs.copies(id)) if (this.#packs.isGood(this.#inventory, blob)) return blob
    return undefined
  }

  /** Where chunks lay of which no copy is good. */
  #lossOf(ids: readonly Buffer[]): { readonly brokenPacks: ReadonlySet<number>; readonly isDangling: boolean } {
    const { blobs } = this.#inventory
    return {
      brokenPacks: new Set(ids.flatMap((id) => [...blobs.copies(id)].map((blob) => blobs.packOf(blob)))),
      isDangling: ids.some((id) => blobs.first(id) === undefined),
    }
  }
}
