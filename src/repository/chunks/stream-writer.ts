import type { BlobWriter } from '../packs/blob-writer.ts'
import { chunkIdBytes } from './chunk-id.ts'
import { longestChunkBytes, type Chunker } from './chunker.ts'
import type { PackKind } from '../objects/object-keys.ts'
import { endsList, listCapacity, type StreamRef } from './stream-ref.ts'

/** What a session counts over all its streams. */
export interface ChunkCounts {
  rawBytes: number
  newRawBytes: number
  chunks: number
  newChunks: number
}

/** Takes the bytes of one stream, cuts them into chunks, and stores those that are new. One call at a time. */
export class StreamWriter {
  readonly #blobs: BlobWriter
  readonly #kind: PackKind
  readonly #chunker: Chunker
  readonly #counts: ChunkCounts
  readonly #longestChunk: number
  /** The beginning of a chunk whose end has not arrived yet. */
  #pending = Buffer.alloc(0)
  #pendingBytes = 0
  #list = Buffer.alloc(0)
  #listLength = 0
  readonly #lists: string[] = []
  #bytes = 0
  #chunks = 0
  #finished = false

  constructor(
    blobs: BlobWriter,
    options: {
      readonly kind: PackKind
      readonly chunker: Chunker
      readonly averageChunkBytes: number
      readonly counts: ChunkCounts
    },
  ) {
    this.#blobs = blobs
    this.#kind = options.kind
    this.#chunker = options.chunker
    this.#longestChunk = longestChunkBytes(options.averageChunkBytes)
    this.#counts = options.counts
  }

  /** Waits when uploads are behind. `bytes` may be reused once this resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#finished) throw new Error('the stream is finished')
    for (let start = 0; start < bytes.length;) {
      const cut = this.#chunker.findCut(bytes, start)
      if (cut < 0) {
        this.#keep(bytes.subarray(start))
        return
      }
      const piece = bytes.subarray(start, cut)
      start = cut
      if (this.#pendingBytes === 0) {
        await this.#addChunk(piece)
      } else {
        this.#keep(piece)
        await this.#addPending()
      }
    }
  }

  /** Ends the stream. What it returns is all that is needed to read it once the session is committed. */
  async finish(): Promise<StreamRef> {
    if (this.#finished) throw new Error('the stream is finished')
    this.#finished = true
    if (this.#pendingBytes > 0) await this.#addPending()
    if (this.#listLength > 0) await this.#addList()
    return { bytes: this.#bytes, chunks: this.#chunks, lists: this.#lists }
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#pendingBytes + piece.length
    if (needed > this.#pending.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#longestChunk, Math.max(needed, 2 * this.#pending.length)))
      this.#pending.copy(grown, 0, 0, this.#pendingBytes)
      this.#pending = grown
    }
    this.#pending.set(piece, this.#pendingBytes)
    this.#pendingBytes = needed
  }

  async #addPending(): Promise<void> {
    const chunk = this.#pending.subarray(0, this.#pendingBytes)
    this.#pendingBytes = 0
    await this.#addChunk(chunk)
  }

  async #addChunk(raw: Uint8Array): Promise<void> {
    const { id, isNew } = await this.#blobs.add(this.#kind, raw)
    this.#bytes += raw.length
    this.#chunks++
    this.#counts.rawBytes += raw.length
    this.#counts.chunks++
    if (isNew) {
      this.#counts.newRawBytes += raw.length
      this.#counts.newChunks++
    }
    if (this.#list.length === 0) this.#list = Buffer.allocUnsafe(listCapacity * chunkIdBytes)
    id.copy(this.#list, this.#listLength * chunkIdBytes)
    this.#listLength++
    if (this.#listLength === listCapacity || endsList(id)) await this.#addList()
  }

  async #addList(): Promise<void> {
    const { id } = await this.#blobs.add('meta', this.#list.subarray(0, this.#listLength * chunkIdBytes))
    this.#listLength = 0
    this.#lists.push(id.toString('hex'))
  }
}
