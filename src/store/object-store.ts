import type { AppError } from '../core/app-error.ts'

export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}

/** Told, in words, of a store that fails and is tried again for long. */
export type OnTrouble = (text: string) => void

export interface ObjectInfo {
  readonly key: string
  readonly sizeBytes: number
  /** By the store's own clock, never the client's; some count whole seconds only. */
  readonly modifiedAt: Date
}

/** Bytes of an object; `length` is at least 1. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** An object with all that it holds, or with the `object-damaged` that says why this is none. */
export interface ReadObject extends ObjectInfo {
  readonly bytes: Buffer | AppError
}

/**
 * A place for objects. It knows keys and bytes and nothing else. Keys are what `isKey` takes. Every object of a
 * repository is written once under a name that says its content or is unique, so writing the same key again writes the
 * same bytes. No key is the folder of another.
 *
 * What every store does, and `describeStoreContract` tries:
 *
 * - What was put, or removed, shows in every `get`, `list` and `readFolder` that begins afterwards, of any client.
 * - Any number of calls may be under way at once, also on the same key.
 * - A store that is slow, or fails for a moment, is tried again here and nowhere else. No call waits for ever.
 * - Whatever fails is an AppError: `store-missing`, `store-denied`, `store-unreachable`, `store-full` or `store-failed`.
 * - Once `signal` is aborted, a call rejects with its reason as soon as it can; what it was to do may be done or not.
 *
 * Somebody else may have put objects there. They are listed under whatever names they have.
 */
export interface ObjectStore {
  /** What `--repo` takes, and how messages name the place; never holds a secret. */
  readonly location: string
  /**
   * Resolves once the object is durable. Readers see all of it or none of it, or all of the one before. Safe to repeat.
   * `parts` are joined; leave them alone until then.
   */
  put(key: string, parts: readonly Uint8Array[], options?: AbortOptions): Promise<void>
  /**
   * The whole object, or what there is of the `range`, maybe nothing. Rejects with `object-missing` when there is no such
   * object, and with `object-damaged` when it is larger than any object of a repository.
   */
  get(key: string, options?: AbortOptions & { readonly range?: ByteRange }): Promise<Buffer>
  /**
   * Resolves once the object is gone for good, a power cut included; it is no error if there is none. Safe to repeat. A
   * store that keeps versions may keep it as one.
   */
  delete(key: string, options?: AbortOptions): Promise<void>
  /**
   * All objects whose key begins with `prefix`, a folder name that ends in `/` or the empty string; in the order of the
   * keys' bytes. What is put or removed meanwhile may be among them or not; all else is, once.
   */
  list(prefix: string, options?: AbortOptions): AsyncIterable<ObjectInfo>
  /**
   * Reads the `wanted` objects right in a folder, which are many and small, in key order and some at a time. What is
   * removed meanwhile is left out.
   */
  readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<readonly ReadObject[]>
  /**
   * Removes what writers that died long ago left unfinished, and says how many that were. Only for whoever knows that
   * the place is a repository.
   */
  removeAbandoned(options?: AbortOptions): Promise<number>
  /**
   * Where a place asks for locks: nobody can remove the object as it is now for the time that the place names, from now
   * on. `put` locks as well.
   */
  readonly extendLock?: ((key: string, options?: AbortOptions) => Promise<void>) | undefined
  /** The store's own clock, the one of `modifiedAt`, cut to whole seconds where the store says no more. */
  now(options?: AbortOptions): Promise<Date>
}
