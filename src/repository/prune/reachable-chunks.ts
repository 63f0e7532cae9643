import { AppError, hasCode } from '../../core/app-error.ts'
import { hasObject } from '../../store/has-object.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import type { StreamsOf } from '../check/check-streams.ts'
import type { Inventory } from '../packs/inventory.ts'
import { readAhead } from '../objects/read-ahead.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { RepositoryReader } from '../repository-reader.ts'
import { sealedKey } from '../objects/object-keys.ts'
import type { StoredRecord } from '../sessions/stored-record.ts'
import type { StreamRef } from '../chunks/stream-ref.ts'

const listsAtOnce = 8
const isReachable = 1
const isReadList = 2

/** Which chunks and lists records lead to. */
export class ReachableChunks {
  readonly #inventory: Inventory
  /** By the number of the first copy. */
  readonly #marks: Uint8Array

  private constructor(inventory: Inventory) {
    this.#inventory = inventory
    this.#marks = new Uint8Array(inventory.blobs.size)
  }

  /**
   * Follows `records` through all their lists; each list is read once. Rejects if anything on the way can not be read, or a
   * chunk lies in no pack: it is unknown then what is needed. Records that have been forgotten meanwhile need nothing.
   */
  static async find(
    context: RepositoryContext,
    inventory: Inventory,
    records: readonly StoredRecord[],
    options: AbortOptions & { readonly streamsOf: StreamsOf },
  ): Promise<ReachableChunks> {
    const reachable = new ReachableChunks(inventory)
    const reader = new RepositoryReader(context, inventory)
    for (const record of records) {
      try {
        if (record.state === 'damaged') throw record.error
        for await (const { stream } of options.streamsOf(record, reader)) await reachable.#mark(stream, reader, options)
      } catch (error) {
        if (!hasCode(error, 'object-damaged', 'object-missing', 'repository-newer')) throw error
        if (await hasObject(context.store, sealedKey('record', record.id), options))
          throw unknownNeeds(record.id, error)
      }
    }
    return reachable
  }

  /** Whether a record leads to the content of this blob, whichever copy it is. */
  has(blob: number): boolean {
    return ((this.#marks[this.#inventory.blobs.firstCopy(blob)] ?? 0) & isReachable) !== 0
  }

  async #mark(stream: StreamRef, reader: RepositoryReader, options: AbortOptions): Promise<void> {
    const { blobs } = this.#inventory
    const unread = new Map<number, string>()
    for (const list of stream.lists) {
      const first = blobs.first(Buffer.from(list, 'hex'))
      if (first === undefined) throw new AppError('object-missing', `list ${list} lies in no pack`)
      if (((this.#marks[first] ?? 0) & isReadList) === 0) unread.set(first, list)
    }
    const read = async ([first, list]: [number, string], { signal }: { signal: AbortSignal }) => ({
      first,
      ids: await reader.readList(list, { signal }),
    })
    for await (const { first, ids } of readAhead(unread, listsAtOnce, read, options)) {
      for (const id of ids) {
        const chunk = blobs.first(id)
        if (chunk === undefined) throw new AppError('object-missing', `chunk ${id.toString('hex')} lies in no pack`)
        this.#marks[chunk] = (this.#marks[chunk] ?? 0) | isReachable
      }
      // only now: a list whose reading failed is to be read for the next record that needs it
      this.#marks[first] = (this.#marks[first] ?? 0) | isReachable | isReadList
    }
  }
}

function unknownNeeds(backup: string, cause: AppError): AppError {
  return new AppError(
    cause.code,
    `backup ${backup} can not be followed to its data, so nobody knows what it needs: ${cause.message}`,
    {
      cause,
      hint: 'nothing was removed; "pgrevive check" tells what is damaged; once that is repaired, or the backup given up with "pgrevive forget", prune again',
    },
  )
}
