import { createHash, type KeyObject } from 'node:crypto'
import { releaseMemory } from '../../core/release-memory.ts'
import { formatDirectory, formatEntry } from './pack-directory.ts'
import { formatTrailer } from './pack-trailer.ts'

/** Blobs are copied into pieces of this size, so that a store gets few of them and a small pack takes little memory. */
const segmentBytes = 1024 * 1024

export interface SealedPack {
  /** The SHA-256 of all bytes, in hex. */
  readonly name: string
  readonly sizeBytes: number
  readonly parts: readonly Uint8Array[]
  /** Without padding. */
  readonly directory: Buffer
}

/** A pack while it grows in memory. */
export class PackBuilder {
  readonly #keys: Uint8Array[]
  readonly #hash = createHash('sha256')
  readonly #entries: Buffer[] = []
  readonly #parts: Buffer[] = []
  #segment = Buffer.alloc(0)
  #segmentFilled = 0
  #sizeBytes = 0

  /** `keys`: data keys that its blobs will name, wrapped. */
  constructor(keys: readonly Uint8Array[] = []) {
    this.#keys = [...keys]
  }

  /** One more data key, wrapped. Returns the number by which blobs name it. */
  addKey(wrapped: Uint8Array): number {
    return this.#keys.push(wrapped) - 1
  }

  /** Of the blobs so far. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Copies a blob to the end. Returns where it begins and the very bytes that will be stored. */
  append(
    id: Uint8Array,
    blob: { readonly parts: readonly Buffer[]; readonly key: number; readonly rawBytes: number },
  ): { offset: number; stored: Buffer } {
    const storedBytes = blob.parts.reduce((bytes, part) => bytes + part.length, 0)
    const stored = this.#reserve(storedBytes)
    let filled = 0
    for (const part of blob.parts) {
      filled += part.copy(stored, filled)
      releaseMemory(part)
    }
    this.#hash.update(stored)
    this.#entries.push(formatEntry(id, { key: blob.key, storedBytes, rawBytes: blob.rawBytes }))
    const offset = this.#sizeBytes
    this.#sizeBytes += storedBytes
    return { offset, stored }
  }

  /** Ends the pack; nothing may be appended after it. */
  finish(metadataKey: KeyObject): SealedPack {
    const directory = formatDirectory(this.#keys, this.#entries)
    const trailer = formatTrailer(directory, metadataKey)
    for (const piece of trailer) this.#hash.update(piece)
    const parts = [...this.#parts, this.#segment.subarray(0, this.#segmentFilled), ...trailer]
    return {
      name: this.#hash.digest('hex'),
      sizeBytes: parts.reduce((bytes, part) => bytes + part.length, 0),
      parts,
      directory,
    }
  }

  #reserve(length: number): Buffer {
    if (length > this.#segment.length - this.#segmentFilled) {
      if (this.#segmentFilled > 0) this.#parts.push(this.#segment.subarray(0, this.#segmentFilled))
      this.#segment = Buffer.allocUnsafeSlow(Math.max(segmentBytes, length))
      this.#segmentFilled = 0
    }
    this.#segmentFilled += length
    return this.#segment.subarray(this.#segmentFilled - length, this.#segmentFilled)
  }
}
