import { foreignObject, largestObjectBytes, missingObject, requireKey } from './keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, ReadObject } from './object-store.ts'
import { readObjects } from './read-objects.ts'

/** Objects in this process, for as long as it lasts: for simulations, which may bring a clock of their own. */
export class MemoryStore implements ObjectStore {
  readonly location: string
  readonly #clock: () => Date
  readonly #objects = new Map<string, { readonly bytes: Buffer; readonly modifiedAt: Date }>()

  constructor(options: { readonly location?: string; readonly clock?: () => Date } = {}) {
    this.location = options.location ?? 'memory'
    this.#clock = options.clock ?? (() => new Date())
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    this.#objects.set(requireKey(key), { bytes: Buffer.concat(parts), modifiedAt: this.#clock() })
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    options.signal?.throwIfAborted()
    const object = this.#objects.get(requireKey(key))
    if (!object) throw missingObject(key, this.location)
    const { offset, length } = options.range ?? { offset: 0, length: object.bytes.length }
    if (length > largestObjectBytes) throw foreignObject(key, this.location)
    return Buffer.from(object.bytes.subarray(offset, offset + length))
  }

  async delete(key: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    this.#objects.delete(requireKey(key))
  }

  async *list(prefix: string, options: AbortOptions = {}): AsyncIterable<ObjectInfo> {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).toSorted()
    for (const key of keys) {
      options.signal?.throwIfAborted()
      const object = this.#objects.get(key)
      if (object) yield { key, sizeBytes: object.bytes.length, modifiedAt: object.modifiedAt }
    }
  }

  readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<ReadObject[]> {
    return readObjects(this, prefix, this.list(prefix, options), options)
  }

  /** None: a put is done at once. */
  async removeAbandoned(): Promise<number> {
    return 0
  }

  async now(): Promise<Date> {
    return this.#clock()
  }
}
