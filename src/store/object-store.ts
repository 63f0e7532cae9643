import type { AppError } from '../core/app-error.ts'

export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}

export interface ObjectInfo {
  readonly key: string
  readonly sizeBytes: number
  /** By the store's own clock, never the client's. */
  readonly modifiedAt: Date
}

/** An object with all that it holds, or with the `object-damaged` that says why this is none. */
export interface ReadObject extends ObjectInfo {
  readonly bytes: Buffer | AppError
}

/**
 * A place for objects. It knows keys and bytes and nothing else. Keys are `/`-separated names of letters, digits, `-`,
 * `_` and `.`. Every object of a repository is written once under a name that says its content or is unique, so writing
 * the same key again writes the same bytes.
 */
export interface ObjectStore {
  /** How messages name the place; never holds a secret. */
  readonly location: string
  /** Resolves once the object is durable. Readers see all of it or none of it. Safe to repeat. `parts` are joined. */
  put(key: string, parts: readonly Uint8Array[], options?: AbortOptions): Promise<void>
  /** The whole object, or the `range` of it. Rejects with `object-missing` when there is no such object. */
  get(
    key: string,
    options?: AbortOptions & { readonly range?: { readonly offset: number; readonly length: number } },
  ): Promise<Buffer>
  /** All objects whose key begins with `prefix`, a folder name that ends in `/` or the empty string; in key order. */
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
  /** The store's own clock. */
  now(options?: AbortOptions): Promise<Date>
}
