import type { AbortOptions, ObjectInfo, ObjectStore, ReadObject } from './object-store.ts'

/** A store of any kind, whose clock goes on when it is told to: what was put before is as much older then. */
export class PassingTimeStore implements ObjectStore {
  readonly location: string
  readonly #store: ObjectStore
  /** By how much its clock is ahead of that of the store below, now and when each object was put. */
  #aheadMs = 0
  readonly #putAheadMs = new Map<string, number>()

  constructor(store: ObjectStore) {
    this.#store = store
    this.location = store.location
  }

  pass(hours: number): void {
    this.#aheadMs += hours * 3600 * 1000
  }

  async put(key: string, parts: readonly Uint8Array[], options?: AbortOptions): Promise<void> {
    await this.#store.put(key, parts, options)
    this.#putAheadMs.set(key, this.#aheadMs)
  }

  get(...args: Parameters<ObjectStore['get']>): Promise<Buffer> {
    return this.#store.get(...args)
  }

  delete(key: string, options?: AbortOptions): Promise<void> {
    return this.#store.delete(key, options)
  }

  async *list(prefix: string, options?: AbortOptions): AsyncIterable<ObjectInfo> {
    for await (const info of this.#store.list(prefix, options)) yield this.#dated(info)
  }

  async *readFolder(...args: Parameters<ObjectStore['readFolder']>): AsyncIterable<readonly ReadObject[]> {
    for await (const objects of this.#store.readFolder(...args)) yield objects.map((object) => this.#dated(object))
  }

  removeAbandoned(options?: AbortOptions): Promise<number> {
    return this.#store.removeAbandoned(options)
  }

  async now(options?: AbortOptions): Promise<Date> {
    return new Date((await this.#store.now(options)).getTime() + this.#aheadMs)
  }

  #dated<Info extends ObjectInfo>(info: Info): Info {
    return { ...info, modifiedAt: new Date(info.modifiedAt.getTime() + (this.#putAheadMs.get(info.key) ?? 0)) }
  }
}
