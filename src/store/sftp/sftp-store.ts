import { posix } from 'node:path'
import { AppError, hasCode } from '../../core/app-error.ts'
import { inKeyOrder } from '../directory/key-order.ts'
import { readObjects } from '../read-objects.ts'
import { isAbandoned, isUnfinishedName, unfinishedName } from '../directory/unfinished-files.ts'
import { foreignObject, largestObjectBytes, missingObject, requireKey, temporaryFolder } from '../keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, ReadObject } from '../object-store.ts'
import {
  type FileDescription,
  describeFile,
  isFolder,
  makeFolder,
  removeIfThere,
  replaceFile,
  syncName,
} from './remote-files.ts'
import { full } from '../server-failures.ts'
import { SftpClient, type SftpClientOptions } from './sftp-client.ts'
import type { SftpConnection } from './sftp-connection.ts'
import { SftpFailure, hasStatus } from './sftp-errors.ts'
import { type SftpPlace, formatSftpPlace } from './sftp-place.ts'
import { readRange, writeParts } from './whole-files.ts'

/** Folders whose entries are asked for before it is their turn. */
const foldersAhead = 8

type SftpEntry = FileDescription & { readonly name: string }

/**
 * Objects as files below a folder of a server; laid out as `DirectoryStore` does, so that either can open it. SFTP has
 * no way to make names durable: where the server can sync files, one is synced after each change of a name, by which
 * file systems with a journal write down all that came before.
 */
export class SftpStore implements ObjectStore {
  readonly location: string
  readonly #place: SftpPlace
  readonly #client: SftpClient
  /** Folders that are known to be there. */
  readonly #folders = new Map<string, Promise<void>>()

  private constructor(place: SftpPlace, options: SftpClientOptions) {
    this.location = formatSftpPlace(place)
    this.#place = place
    this.#client = new SftpClient(place, options)
  }

  /** Opens an existing folder. Rejects with `store-missing`, or with what keeps anybody from logging in. */
  static async open(place: SftpPlace, options: SftpClientOptions): Promise<SftpStore> {
    const store = new SftpStore(place, options)
    await store.#client.run(`the folder ${store.location}`, {}, async (connection) => {
      if ((await connection.stat(place.path)).isDirectory()) return
      throw new AppError('store-missing', `${store.location} is not a folder`, { hint: 'name a folder with --repo' })
    })
    return store
  }

  /** Opens the folder and makes it if it is not there. */
  static async create(place: SftpPlace, options: SftpClientOptions): Promise<SftpStore> {
    const store = new SftpStore(place, options)
    await store.#client.run(`the folder ${store.location}`, {}, (connection) => makeFolder(connection, place.path))
    return store
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    const path = this.#path(requireKey(key))
    await this.#client.run(this.#nameOf(key), options, async (connection) => {
      const temporary = await this.#write(connection, parts, options)
      try {
        await this.#ensureFolder(connection, posix.dirname(path))
        options.signal?.throwIfAborted()
        await replaceFile(connection, temporary, path)
      } catch (error) {
        await connection.unlink(temporary).catch(() => undefined) // the next run removes it
        throw error
      }
      await syncName(connection, path)
    })
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    const path = this.#path(requireKey(key))
    return this.#client.run(this.#nameOf(key), options, async (connection) => {
      try {
        // first, since a pipe would wait for a writer, and with it all other requests
        const { isFile, sizeBytes } = describeFile(await connection.stat(path))
        if (!isFile || (options.range?.length ?? sizeBytes) > largestObjectBytes)
          throw foreignObject(key, this.location)
        const handle = await connection.open(path, 'r')
        try {
          if (options.range) {
            const length = Math.max(0, Math.min(options.range.length, sizeBytes - options.range.offset))
            return await readRange(connection, handle, { offset: options.range.offset, length }, options)
          }
          const read = (length: number) => readRange(connection, handle, { offset: 0, length }, options)
          const [opened, bytes] = await Promise.all([connection.fstat(handle), read(sizeBytes)])
          // it was replaced meanwhile
          return opened.size === sizeBytes ? bytes : await read(opened.size)
        } finally {
          connection.close(handle).catch(() => undefined) // it was only read
        }
      } catch (error) {
        throw hasStatus(error, 'noSuchFile') ? missingObject(key, this.location, error) : error
      }
    })
  }

  async delete(key: string, options: AbortOptions = {}): Promise<void> {
    const path = this.#path(requireKey(key))
    await this.#client.run(this.#nameOf(key), options, async (connection) => {
      try {
        await connection.unlink(path)
      } catch (error) {
        if (hasStatus(error, 'noSuchFile')) return
        throw error
      }
      if (connection.canSync) await this.#syncNames(connection)
    })
  }

  async *list(prefix: string, options: AbortOptions = {}): AsyncIterable<ObjectInfo> {
    const folder = prefix.replace(/\/$/, '')
    yield* this.#walk(folder, this.#entriesOf(folder, options), options)
  }

  readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<readonly ReadObject[]> {
    return readObjects(this, prefix, this.#filesOf(prefix.replace(/\/$/, ''), options), options)
  }

  /** The folder may be somebody else's: a link is not followed, and only files with names of ours are removed. */
  async removeAbandoned(options: AbortOptions = {}): Promise<number> {
    const folder = this.#path(temporaryFolder)
    const isThere = await this.#client.run(`${temporaryFolder} in ${this.location}`, options, (connection) =>
      isFolder(connection.lstat(folder)),
    )
    const entries = isThere ? await this.#entriesOf(temporaryFolder, options) : []
    const unfinished = entries.filter(({ name, isFile }) => isFile && isUnfinishedName(name))
    if (unfinished.length === 0) return 0
    const now = await this.now(options)
    const abandoned = unfinished.filter(({ modifiedAt }) => isAbandoned(modifiedAt, now))
    for (const { name } of abandoned) {
      const path = `${temporaryFolder}/${name}`
      await this.#client.run(this.#nameOf(path), options, (connection) => removeIfThere(connection, this.#path(path)))
    }
    return abandoned.length
  }

  /** SFTP has no clock: the time of a file that is new, in whole seconds. */
  async now(options: AbortOptions = {}): Promise<Date> {
    return this.#client.run(`a new file in ${this.location}`, options, async (connection) => {
      const path = await this.#write(connection, [], options)
      const { modifiedAt } = describeFile(await connection.stat(path))
      await connection.unlink(path)
      return modifiedAt
    })
  }

  /** Resolves to the path of a new file that holds `parts`, durably where the server can. */
  async #write(connection: SftpConnection, parts: readonly Uint8Array[], options: AbortOptions): Promise<string> {
    const path = this.#path(`${temporaryFolder}/${unfinishedName()}`)
    await this.#ensureFolder(connection, posix.dirname(path))
    const handle = await connection.open(path, 'wx')
    try {
      try {
        await writeParts(connection, handle, parts, options)
        await connection.sync(handle)
      } finally {
        await connection.close(handle)
      }
      return path
    } catch (error) {
      const explained = await this.#explainFullDisk(connection, error, parts)
      await connection.unlink(path).catch(() => undefined) // it is removed as abandoned
      throw explained
    }
  }

  /** A file that is new and durable takes along the names that were removed before. */
  async #syncNames(connection: SftpConnection): Promise<void> {
    try {
      await connection.unlink(await this.#write(connection, [], {}))
    } catch (error) {
      // what is removed is removed; on a full disk nobody could make room otherwise
      if (!(error instanceof SftpFailure) && !hasCode(error, 'store-full')) throw error
    }
  }

  /** SFTP says "failure" when a disk is full. */
  async #explainFullDisk(connection: SftpConnection, error: unknown, parts: readonly Uint8Array[]): Promise<unknown> {
    if (!hasStatus(error, 'failure')) return error
    const freeBytes = await connection.freeBytes(this.#place.path).catch(() => undefined)
    const neededBytes = parts.reduce((sum, { length }) => sum + length, 0)
    if (freeBytes === undefined || freeBytes > neededBytes) return error
    const [code, message, hint] = full(`a new file in ${this.location}`)
    return new AppError(code, message, { cause: error, hint })
  }

  async *#walk(
    folder: string,
    reading: Promise<readonly SftpEntry[]>,
    options: AbortOptions,
  ): AsyncIterable<ObjectInfo> {
    const keyOf = ({ name }: SftpEntry) => (folder === '' ? name : `${folder}/${name}`)
    const entries = (await reading).filter((entry) => keyOf(entry) !== temporaryFolder)
    const folders = entries.filter((entry) => entry.isDirectory()).map(keyOf)
    const ahead: Promise<readonly SftpEntry[]>[] = []
    for (const entry of entries) {
      const key = keyOf(entry)
      if (entry.isDirectory()) {
        while (ahead.length < foldersAhead && folders.length > 0) {
          const next = this.#entriesOf(folders.shift() ?? '', options)
          next.catch(() => undefined) // told when it is its turn, if ever
          ahead.push(next)
        }
        const first = ahead.shift()
        if (first) yield* this.#walk(key, first, options)
      } else if (entry.isFile) {
        yield { key, sizeBytes: entry.sizeBytes, modifiedAt: entry.modifiedAt }
      }
    }
  }

  async *#filesOf(folder: string, options: AbortOptions): AsyncIterable<ObjectInfo> {
    for (const { name, isFile, sizeBytes, modifiedAt } of await this.#entriesOf(folder, options)) {
      if (isFile) yield { key: `${folder}/${name}`, sizeBytes, modifiedAt }
    }
  }

  /** In the order of the keys there; none if the folder is not there. */
  async #entriesOf(folder: string, options: AbortOptions): Promise<SftpEntry[]> {
    const what = folder === '' ? this.location : `${folder} in ${this.location}`
    return this.#client.run(what, options, async (connection) => {
      try {
        const entries = await connection.readDirectory(this.#path(folder))
        return inKeyOrder(entries.map(({ filename, attrs }) => ({ name: filename, ...describeFile(attrs) })))
      } catch (error) {
        if (hasStatus(error, 'noSuchFile')) return []
        throw error
      }
    })
  }

  #ensureFolder(connection: SftpConnection, path: string): Promise<void> {
    const known = this.#folders.get(path)
    if (known) return known
    const made = makeFolder(connection, path)
    this.#folders.set(path, made)
    made.catch(() => this.#folders.delete(path))
    return made
  }

  #path(key: string): string {
    const { path } = this.#place
    if (key === '') return path
    return path === '.' ? key : posix.join(path, key)
  }

  #nameOf(key: string): string {
    return `${key} in ${this.location}`
  }
}
