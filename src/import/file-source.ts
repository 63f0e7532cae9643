import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../core/app-error.ts'
import { damagedDump } from './byte-reader.ts'

const pieceBytes = 256 * 1024

/** A dump as it lies in the file system: a file, or the directory of an archive with its files. */
export class FileSource {
  readonly path: string
  readonly isDirectory: boolean
  readonly modifiedAt: Date
  /** Of all files. */
  readonly totalBytes: number
  /** Told how many bytes of it have been read. */
  onRead: ((readBytes: number) => void) | undefined
  readonly #files: readonly string[]
  readonly #options: ReadOptions
  #readBytes = 0

  private constructor(path: string, found: Found, options: ReadOptions) {
    this.path = path
    this.isDirectory = found.isDirectory
    this.modifiedAt = found.modifiedAt
    this.totalBytes = found.totalBytes
    this.#files = found.files
    this.#options = options
  }

  /** Throws `dump-unreadable`. */
  static async open(path: string, options: ReadOptions = {}): Promise<FileSource> {
    return new FileSource(path, await look(path), options)
  }

  /** Of the file, or of one of the directory's. */
  async *bytes(name?: string): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#read(name)) {
      this.#readBytes += piece.length
      this.onRead?.(this.#readBytes)
      yield piece
    }
  }

  /**
   * SHA-256 of the file, in hex; of a directory, that of a list of its files as sha256sum prints it, in the order of their
   * names.
   */
  async fingerprint(): Promise<string> {
    if (!this.isDirectory) return digest(this.#read())
    const lines: string[] = []
    for (const name of this.#files) lines.push(`${await digest(this.#read(name))}  ${name}\n`)
    return createHash('sha256').update(lines.join('')).digest('hex')
  }

  /** Throws `dump-damaged` if somebody wrote to it since it was opened. */
  async refuseChanged(): Promise<void> {
    const { modifiedAt, totalBytes } = await look(this.path)
    if (modifiedAt.getTime() === this.modifiedAt.getTime() && totalBytes === this.totalBytes) return
    throw damagedDump('it was changed while it was read')
  }

  async *#read(name?: string): AsyncGenerator<Uint8Array> {
    const path = name === undefined ? this.path : join(this.path, name)
    const { signal } = this.#options
    const stream = createReadStream(path, { highWaterMark: pieceBytes, ...(signal ? { signal } : {}) })
    try {
      for await (const piece of stream) yield piece as Buffer
    } catch (error) {
      signal?.throwIfAborted()
      throw unreadable(path, error)
    }
  }
}

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

interface Found {
  readonly isDirectory: boolean
  readonly modifiedAt: Date
  readonly totalBytes: number
  readonly files: readonly string[]
}

async function look(path: string): Promise<Found> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) {
      return { isDirectory: false, modifiedAt: found.mtime, totalBytes: found.size, files: [] }
    }
    const entries = await readdir(path, { withFileTypes: true })
    const files = entries.flatMap((entry) => (entry.isFile() ? entry.name : [])).toSorted()
    const sizes = await Promise.all(files.map(async (name) => (await stat(join(path, name))).size))
    const { mtime } = await stat(join(path, 'toc.dat'))
    return { isDirectory: true, modifiedAt: mtime, totalBytes: sizes.reduce((sum, size) => sum + size, 0), files }
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function digest(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of bytes) hash.update(piece)
  return hash.digest('hex')
}

function unreadable(path: string, cause: unknown): AppError {
  return new AppError('dump-unreadable', `${path} can not be read: ${messageOf(cause)}`, {
    cause,
    hint: 'check the path and its permissions',
  })
}
