import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, ReadObject } from './object-store.ts'
import type { RateLimit } from './rate-limit.ts'

/** What several stores may share. */
export interface TransferLimits {
  readonly upload?: RateLimit | undefined
  readonly download?: RateLimit | undefined
}

/**
 * A store that takes and gives only so many bytes in a second, on average: an object goes at once when it is its turn.
 * What is tried again is not counted again; lists and removals are not counted.
 */
export class LimitedStore implements ObjectStore {
  readonly location: string
  readonly extendLock: ObjectStore['extendLock']
  readonly #store: ObjectStore
  readonly #limits: TransferLimits

  constructor(store: ObjectStore, limits: TransferLimits) {
    this.location = store.location
    this.extendLock = store.extendLock?.bind(store)
    this.#store = store
    this.#limits = limits
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    await this.#limits.upload?.take(
      parts.reduce((sum, { length }) => sum + length, 0),
      options,
    )
    return this.#store.put(key, parts, options)
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    if (options.range) await this.#limits.download?.take(options.range.length, options)
    const bytes = await this.#store.get(key, options)
    // who comes next waits for what nobody knew the length of
    if (!options.range) await this.#limits.download?.take(bytes.length, options)
    return bytes
  }

  delete(key: string, options?: AbortOptions): Promise<void> {
    return this.#store.delete(key, options)
  }

  list(prefix: string, options?: AbortOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options)
  }

  async *readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<readonly ReadObject[]> {
    for await (const objects of this.#store.readFolder(prefix, options)) {
      const bytes = objects.reduce((sum, object) => sum + (Buffer.isBuffer(object.bytes) ? object.bytes.length : 0), 0)
      await this.#limits.download?.take(bytes, options)
      yield objects
    }
  }

  removeAbandoned(options?: AbortOptions): Promise<number> {
    return this.#store.removeAbandoned(options)
  }

  now(options?: AbortOptions): Promise<Date> {
    return this.#store.now(options)
  }
}
