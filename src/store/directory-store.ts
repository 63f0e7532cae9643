import { randomBytes } from 'node:crypto'
import { constants, type Dirent, statSync } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { AppError, hasCode } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import { isMissing, isSystemError, translate } from './file-errors.ts'
import type { AbortOptions, ObjectInfo, ObjectStore, ReadObject } from './object-store.ts'
import { SmallFiles } from './small-files.ts'

/** Where objects lie until they are whole. Not part of the key space. */
const temporaryFolder = 'tmp'
/**
 * A temporary file that nobody wrote to for so long belongs to a writer that died. Its owner may be on another host,
 * where nobody can be asked whether it lives. One of the future is as old as it is ahead: a clock was set back.
 */
const abandonedAfterMs = 24 * 3600 * 1000
const temporaryName = /^pgrevive-[0-9a-f]{24}$/
/** A batch of `readFolder`, and how many of it are waited for together. */
const objectsAtOnce = 128
const readsAtOnce = 8
/** Nothing in a repository is nearly as large. */
const largestReadBytes = 256 * 1024 * 1024

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

  async get(
    key: string,
    options: AbortOptions & { readonly range?: { readonly offset: number; readonly length: number } } = {},
  ): Promise<Buffer> {
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
      if (!info.isFile() || length > largestReadBytes) {
        throw new AppError('object-damaged', `${key} in ${this.location} is no object of a repository`, {
          hint: 'it is no file, or larger than any object: find out who put it there, and remove it',
        })
      }
      const buffer = Buffer.allocUnsafe(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    } catch (error) {
      if (isMissing(error)) {
        throw new AppError('object-missing', `${key} is missing in ${this.location}`, {
          cause: error,
          hint: 'run "pgrevive check" to see which backups are touched',
        })
      }
      throw translate(error, `${key} in ${this.location}`)
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
        if (!hasCode(bytes, 'object-missing')) objects.set(key, { ...this.#infoOf(key), bytes })
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
        if (Math.abs(now.getTime() - modifiedAt.getTime()) <= abandonedAfterMs) continue
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
        yield this.#infoOf(key)
      }
    }
  }

  /** By name; none if the folder is not there. */
  async #entriesOf(folder: string): Promise<Dirent[]> {
    try {
      const entries = await readdir(join(this.location, folder), { withFileTypes: true })
      return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    } catch (error) {
      if (isMissing(error)) return []
      throw translate(error, `${folder} in ${this.location}`)
    }
  }

  #infoOf(key: string): ObjectInfo {
    try {
      const { size, mtime } = statSync(join(this.location, key))
      return { key, sizeBytes: size, modifiedAt: mtime }
    } catch (error) {
      throw translate(error, `${key} in ${this.location}`)
    }
  }

  #temporaryPath(): string {
    return join(this.location, temporaryFolder, `pgrevive-${randomBytes(12).toString('hex')}`)
  }

  #path(key: string): string {
    if (isKey(key)) return join(this.location, key)
    throw new AppError('store-failed', `not a key: ${JSON.stringify(key)}`)
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

/**
 * Creates a directory and those above it, so that they are still there after a power cut. Not Node's recursive mkdir,
 * which never returns where a parent can not exist, as in /proc.
 */
async function createDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'EEXIST') return
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error
    await createDirectory(dirname(path))
    await mkdir(path, { mode: 0o700 }).catch((again: unknown) => {
      if (!isSystemError(again) || again.code !== 'EEXIST') throw again // another writer may have made it meanwhile
    })
  }
  await syncDirectory(dirname(path))
}

/** The folder may be somebody else's: a link is not followed, and only files with names of ours are told. */
async function listUnfinished(folder: string): Promise<{ readonly path: string; readonly modifiedAt: Date }[]> {
  const stats = (path: string) =>
    lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined // another process may have finished it just now
      throw error
    })
  if (!(await stats(folder))?.isDirectory()) return []
  const paths = (await readdir(folder)).filter((name) => temporaryName.test(name)).map((name) => join(folder, name))
  const found = await Promise.all(paths.map(async (path) => ({ path, info: await stats(path) })))
  return found.flatMap(({ path, info }) => (info?.isFile() ? [{ path, modifiedAt: info.mtime }] : []))
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}

function isKey(text: string): boolean {
  return /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/.test(text) && !/(^|\/)\.+(\/|$)/.test(text)
}
