import { AppError, hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { BlobWriter } from '../packs/blob-writer.ts'
import { Chunker } from '../chunks/chunker.ts'
import { handOverToAdded } from '../keys/handed-over.ts'
import { currentConfig } from '../keys/settle-access.ts'
import { checkCommit, clocks, SessionClock } from './commit-check.ts'
import { Inventory } from '../packs/inventory.ts'
import type { JsonValue } from '../objects/json-value.ts'
import { sealedKey, type PackKind } from '../objects/object-keys.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { listSealed, nextSealedId } from '../objects/sealed-object.ts'
import { isLate, putRecord, type CommittedRecord } from './stored-record.ts'
import { StreamWriter, type ChunkCounts } from '../chunks/stream-writer.ts'

export interface SessionStats {
  /** Of all streams. */
  readonly rawBytes: number
  /** Of the chunks that the repository did not hold. */
  readonly newRawBytes: number
  /** All that was put into the store. */
  readonly storedBytes: number
  readonly chunks: number
  readonly newChunks: number
}

/**
 * One run that adds to the repository. Any number of sessions may run at once, here and elsewhere. Nothing of it counts
 * before a `commit`; leaving the scope without one aborts, and what was stored by then is found by the next session.
 */
export class WritingSession implements AsyncDisposable {
  readonly #context: RepositoryContext
  readonly #clock: SessionClock
  readonly #blobs: BlobWriter
  readonly #counts: ChunkCounts = { rawBytes: 0, newRawBytes: 0, chunks: 0, newChunks: 0 }

  private constructor(context: RepositoryContext, clock: SessionClock, blobs: BlobWriter) {
    this.#context = context
    this.#clock = clock
    this.#blobs = blobs
  }

  /** The signal ends the whole session. */
  static async start(
    context: RepositoryContext,
    options: AbortOptions & { readonly verifyBlobs?: boolean | undefined } = {},
  ): Promise<WritingSession> {
    await context.store.removeAbandoned(options)
    const clock = await SessionClock.start(context.store, options) // before the tombstones are read
    const inventory = await Inventory.load(context, options)
    return new WritingSession(context, clock, new BlobWriter(context, inventory, options))
  }

  get stats(): SessionStats {
    return { ...this.#counts, storedBytes: this.#blobs.storedBytes }
  }

  /** Streams may be written side by side. `meta` streams can be read without a reading key. */
  openStream(kind: PackKind = 'data'): StreamWriter {
    const { averageBytes } = this.#context.config.chunker
    return new StreamWriter(this.#blobs, {
      kind,
      chunker: new Chunker(this.#context.keys.gearTable, averageBytes),
      averageChunkBytes: averageBytes,
      counts: this.#counts,
    })
  }

  /** Stores what is still held back, packs and their index; call it when all streams are finished. The stats are final then. */
  store(): Promise<void> {
    return this.#blobs.finish()
  }

  /** An id for a record, after those of all that are there. */
  nextId(): Promise<string> {
    return nextSealedId(this.#context.store, 'record', { signal: this.#blobs.signal })
  }

  /**
   * Makes what was written count; call it when all streams are finished. `body` may name only streams of this session:
   * those of other sessions were not checked. `id`: of a backup that other repositories hold, too. Rejects with
   * `session-too-old` when data that the session relies on is about to be deleted; then run again.
   */
  async commit(body: JsonValue, { id: given }: { readonly id?: string } = {}): Promise<CommittedRecord> {
    const options = { signal: this.#blobs.signal }
    await this.store()
    await this.#serveNewRecipients(options)
    const reliedOn = [...this.#blobs.packsReliedOn()]
    const id = given ?? (await this.nextId())
    let permit = await checkCommit(this.#context, this.#clock, reliedOn, options)
    while (!permit.isFresh(clocks())) permit = await checkCommit(this.#context, this.#clock, reliedOn, options)
    const { checkedAt } = permit
    this.#blobs.countStored(await putRecord(this.#context, { id, checkedAt, body }, options))

    const committedAt = await this.#modifiedAt(id, options)
    const late = isLate(this.#context, { checkedAt, committedAt })
    if (late) await checkCommit(this.#context, this.#clock, reliedOn, options)
    return { id, state: late ? 'unverified' : 'committed', checkedAt, committedAt, body }
  }

  /** Stops what is under way. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#blobs[Symbol.asyncDispose]()
  }

  /**
   * Who was added meanwhile is not among those whom the packs are for. Once they are stored, either this sees the new
   * `config`, or whoever wrote that sees the packs.
   */
  async #serveNewRecipients(options: AbortOptions): Promise<void> {
    const { recipients } = await currentConfig(this.#context, options).catch((error: unknown) => {
      if (hasCode(error, 'object-damaged', 'repository-newer')) return this.#context.config // for check to tell
      throw error
    })
    await handOverToAdded(this.#context, recipients, this.#blobs.dataKeys, options)
  }

  async #modifiedAt(id: string, options: AbortOptions): Promise<Date> {
    for await (const record of listSealed(this.#context.store, 'record', options)) {
      if (record.id === id) return record.modifiedAt
    }
    throw new AppError('object-missing', `${sealedKey('record', id)} is gone right after it was written`)
  }
}
