import { createHash } from 'node:crypto'
import { damagedDump } from './byte-reader.ts'
import { type DumpFiles, unreadable } from './dump-files.ts'
import type { DumpPath } from './find-dumps.ts'

/** A dump as it lies there: a file, or the directory of an archive with its files. */
export class FileSource {
  readonly path: string
  readonly isDirectory: boolean
  readonly modifiedAt: Date
  /** Of all files. */
  readonly totalBytes: number
  /** Of the files in a directory, in order. */
  readonly names: readonly string[]
  /** Told how many bytes of it have been read. */
  onRead: ((readBytes: number) => void) | undefined
  readonly #files: DumpFiles
  readonly #options: ReadOptions
  #readBytes = 0

  private constructor({ path, files }: DumpPath, found: Found, options: ReadOptions) {
    this.path = path
    this.isDirectory = found.isDirectory
    this.modifiedAt = found.modifiedAt
    this.totalBytes = found.totalBytes
    this.#files = files
    this.names = found.names
    this.#options = options
  }

  /** Throws `dump-unreadable`. */
  static async open(dump: DumpPath, options: ReadOptions = {}): Promise<FileSource> {
    return new FileSource(dump, await look(dump), options)
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
    for (const name of this.names) lines.push(`${await digest(this.#read(name))}  ${name}\n`)
    return createHash('sha256').update(lines.join('')).digest('hex')
  }

  /** Throws `dump-damaged` if somebody wrote to it since it was opened. */
  async refuseChanged(): Promise<void> {
    const { modifiedAt, totalBytes } = await look({ path: this.path, files: this.#files })
    if (modifiedAt.getTime() === this.modifiedAt.getTime() && totalBytes === this.totalBytes) return
    throw damagedDump('it was changed while it was read')
  }

  #read(name?: string): AsyncIterable<Uint8Array> {
    return this.#files.read(name === undefined ? this.path : this.#files.join(this.path, name), this.#options)
  }
}

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

interface Found {
  readonly isDirectory: boolean
  readonly modifiedAt: Date
  readonly totalBytes: number
  readonly names: readonly string[]
}

async function look({ path, files }: Pick<DumpPath, 'path' | 'files'>): Promise<Found> {
  const found = await files.look(path)
  if (!found) throw unreadable(path)
  if (!found.isDirectory) return { ...found, totalBytes: found.bytes, names: [] }
  const inside = (await files.names(path)).toSorted()
  const looked = await Promise.all(
    inside.map(async (name) => ({ name, file: await files.look(files.join(path, name)) })),
  )
  const kept = looked.flatMap(({ name, file }) => (file && !file.isDirectory ? [{ name, file }] : []))
  return {
    isDirectory: true,
    modifiedAt: kept.find(({ name }) => name === 'toc.dat')?.file.modifiedAt ?? found.modifiedAt,
    totalBytes: kept.reduce((sum, { file }) => sum + file.bytes, 0),
    names: kept.map(({ name }) => name),
  }
}

async function digest(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of bytes) hash.update(piece)
  return hash.digest('hex')
}
