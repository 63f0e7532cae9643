import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../core/app-error.ts'
import type { AbortOptions } from '../store/object-store.ts'

const pieceBytes = 256 * 1024

export interface DumpFile {
  readonly isDirectory: boolean
  readonly bytes: number
  readonly modifiedAt: Date
}

/** Where dumps lie. Paths are what a person would call them; whatever can not be read rejects with an AppError. */
export interface DumpFiles {
  /** Undefined if there is nothing of this name. */
  look(path: string): Promise<DumpFile | undefined>
  /** What is right in a directory. */
  names(path: string): Promise<string[]>
  /** The path of what is in a directory. */
  join(path: string, name: string): string
  read(path: string, options?: AbortOptions): AsyncIterable<Uint8Array>
}

/** Those of this machine. */
export const localFiles: DumpFiles = {
  async look(path) {
    try {
      const found = await stat(path)
      return { isDirectory: found.isDirectory(), bytes: found.size, modifiedAt: found.mtime }
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return
      throw unreadable(path, error)
    }
  },
  async names(path) {
    return readdir(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
  },
  join: (path, name) => join(path, name),
  async *read(path, { signal } = {}) {
    const stream = createReadStream(path, { highWaterMark: pieceBytes, ...(signal ? { signal } : {}) })
    try {
      for await (const piece of stream) yield piece as Buffer
    } catch (error) {
      signal?.throwIfAborted()
      throw unreadable(path, error)
    }
  },
}

export function unreadable(path: string, cause?: unknown): AppError {
  const why = cause === undefined ? 'there is nothing of this name' : messageOf(cause)
  return new AppError('dump-unreadable', `${path} can not be read: ${why}`, {
    cause,
    hint: 'check the path and its permissions',
  })
}
