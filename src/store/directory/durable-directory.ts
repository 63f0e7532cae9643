import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isSystemError } from './file-errors.ts'

/**
 * Creates a directory and those above it, so that they are still there after a power cut. Not Node's recursive mkdir,
 * which never returns where a parent can not exist, as in /proc.
 */
export async function createDirectory(path: string): Promise<void> {
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

/** Makes names that were given or taken in it durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}
