import { constants, type Dirent, statSync } from 'node:fs'
import { open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { AppError, hasCode } from '../../core/app-error.ts'
import { forEachParallel } from '../../core/parallel.ts'
import { createDirectory, syncDirectory } from './durable-directory.ts'
import { isMissing, translate } from './file-errors.ts'
import { foreignObject, isKey, largestObjectBytes, missingObject, requireKey, temporaryFolder } from '../keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, ReadObject } from '../object-store.ts'
import { inKeyOrder } from './key-order.ts'
import { SmallFiles } from './small-files.ts'
import { isAbandoned, listUnfinished, unfinishedName } from './unfinished-files.ts'

/** A batch of `readFolder`, and how many of it are waited for together. */
const objectsAtOnce = 128
const readsAtOnce = 8

/** Objects as files below one directory; readable by the owner only. */
export class DirectoryStore implements ObjectStore {
  readonly location: string
  /** Directories that are known to exist durably. */
  readonly #directories = new Map<string, Promise<void>>()
  readonly #smallFiles = new SmallFiles()

  private constructor(path: string) {
    this.location = path
  }

  /** Opens an existing directory. Rejects with `store-missing`. */
  static async open(path: string): Promise<DirectoryStore> {
    const location = resolve(path)
    const info = await stat(location).catch((error: unknown) => {
      throw translate(error, `directory ${location}`)
    })
    if (!info.isDirectory()) {
      throw new AppError('store-missing', `${location} is not a directory`, { hint: 'name a directory with --repo' })
    }
    return new DirectoryStore(location)
  }

  /** Opens the directory and creates it, durably, if it is not there. */
  static async create(path: string): Promise<DirectoryStore> {
    const location = resolve(path)
    try {
      await createDirectory(location)
    } catch (error) {
      throw translate(error, `directory ${location}`)
    }
    return DirectoryStore.open(location)
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    const path = this.#path(key)
    const temporary = this.#temporaryPath()
    try {
      await this.#ensureDirectory(dirname(temporary))
      await this.#ensureDirectory(dirname(path))
      options.signal?.throwIfAborted()
      await using cleanup = new AsyncDisposableStack()
      cleanup.defer(() => rm(temporary, { force: true }))
      {
        await using file = await open(temporary, 'wx', 0o600)
        for (const part of parts) await file.writeFile(part)
        await file.sync()
      }
      options.signal?.throwIfAborted()
      await rename(temporary, path)
      await syncDirectory(dirname(path))
    } catch (error) {
      throw translate(error, `${key} in ${this.location}`)
    }
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    options.signal?.throwIfAborted()
    const path = this.#path(key)
    try {
      await this.#smallFiles.takeTurn()
      const small = options.range ? undefined : this.#smallFiles.read(path)
      if (small) return small.bytes
      // a pipe would wait for a writer
      await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
      const info = await file.stat()
      const { offset, length } = options.range ?? { offset: 0, length: info.size }
      if (!info.isFile() || length > largestObjectBytes) throw foreignObject(key, this.location)
      const buffer = Buffer.allocUnsafe(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    } catch (error) {
      if (isMissing(error)) throw missingObject(key, this.location, error)
      throw translate(error, `${key} in ${this.location}`)
    }
  }

  async delete(key: string, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      await unlink(this.#path(key))
      await syncDirectory(dirname(this.#path(key)))
    } catch (error) {
      if (!isMissing(error)) throw translate(error, `${key} in ${this.location}`)
    }
  }

  list(prefix: string, options: AbortOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#walk(prefix.replace(/\/$/, ''), options)
  }

  async *readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<ReadObject[]> {
    const folder = prefix.replace(/\/$/, '')
    const files = (await this.#entriesOf(folder)).filter((entry) => entry.isFile())
    const keys = files.map(({ name }) => `${folder}/${name}`).filter((key) => isKey(key) && options.wanted(key))
    for (let first = 0; first < keys.length; first += objectsAtOnce) {
      yield await this.#readObjects(keys.slice(first, first + objectsAtOnce), options)
    }
  }

  async #readObjects(keys: readonly string[], options: AbortOptions): Promise<ReadObject[]> {
    const objects = new Map<string, ReadObject>()
    const others: string[] = []
    options.signal?.throwIfAborted()
    await this.#smallFiles.takeTurn()
    for (const key of keys) {
      try {
        const small = this.#smallFiles.read(join(this.location, key))
        if (small)
          objects.set(key, { key, sizeBytes: small.info.size, modifiedAt: small.info.mtime, bytes: small.bytes })
        else others.push(key)
      } catch (error) {
        if (!isMissing(error)) throw translate(error, `${key} in ${this.location}`)
      }
    }
    await forEachParallel(
      others,
      readsAtOnce,
      async (key, { signal }) => {
        const bytes = await this.get(key, { signal }).catch((error: unknown) => {
          if (hasCode(error, 'object-missing', 'object-damaged')) return error
          throw error
        })
        const info = hasCode(bytes, 'object-missing') ? undefined : this.#infoOf(key)
        if (info && !hasCode(bytes, 'object-missing')) objects.set(key, { ...info, bytes })
      },
      options,
    )
    return keys.flatMap((key) => objects.get(key) ?? [])
  }

  /** The folder may be somebody else's: a link is not followed, and only files with names of ours are removed. */
  async removeAbandoned(options: AbortOptions = {}): Promise<number> {
    const folder = join(this.location, temporaryFolder)
    let removed = 0
    try {
      const unfinished = await listUnfinished(folder)
      if (unfinished.length === 0) return removed
      const now = await this.now()
      for (const { path, modifiedAt } of unfinished) {
        options.signal?.throwIfAborted()
        if (!isAbandoned(modifiedAt, now)) continue
        await rm(path, { force: true })
        removed++
      }
    } catch (error) {
      throw translate(error, folder)
    }
    return removed
  }

  async now(): Promise<Date> {
    const probe = this.#temporaryPath()
    try {
      await this.#ensureDirectory(dirname(probe))
      await using file = await open(probe, 'wx', 0o600)
      const { mtime } = await file.stat()
      await unlink(probe)
      return mtime
    } catch (error) {
      throw translate(error, `a new file in ${this.location}`)
    }
  }

  async *#walk(folder: string, options: AbortOptions): AsyncIterable<ObjectInfo> {
    options.signal?.throwIfAborted()
    for (const entry of await this.#entriesOf(folder)) {
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (key === temporaryFolder) continue
      if (entry.isDirectory()) {
        yield* this.#walk(key, options)
      } else if (entry.isFile()) {
        await this.#smallFiles.takeTurn()
        const info = this.#infoOf(key)
        if (info) yield info
      }
    }
  }

  /** In the order of the keys there; none if the folder is not there. */
  async #entriesOf(folder: string): Promise<Dirent[]> {
    try {
      const entries = await readdir(join(this.location, folder), { withFileTypes: true })
      return inKeyOrder(entries)
    } catch (error) {
      if (isMissing(error)) return []
      throw translate(error, `${folder} in ${this.location}`)
    }
  }

  /** undefined: it was removed meanwhile. */
  #infoOf(key: string): ObjectInfo | undefined {
    try {
      const { size, mtime } = statSync(join(this.location, key))
      return { key, sizeBytes: size, modifiedAt: mtime }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw translate(error, `${key} in ${this.location}`)
    }
  }

  #temporaryPath(): string {
    return join(this.location, temporaryFolder, unfinishedName())
  }

  #path(key: string): string {
    return join(this.location, requireKey(key))
  }

  #ensureDirectory(path: string): Promise<void> {
    const known = this.#directories.get(path)
    if (known) return known
    const created = createDirectory(path)
    this.#directories.set(path, created)
    created.catch(() => this.#directories.delete(path))
    return created
  }
}
