import { randomBytes } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from './file-errors.ts'

const namePattern = /^pgrevive-[0-9a-f]{24}$/

/** A new name for a file until it is whole. */
export function unfinishedName(): string {
  return `pgrevive-${randomBytes(12).toString('hex')}`
}

/** The folder may be somebody else's: a link is not followed, and only files with names of ours are told. */
export async function listUnfinished(folder: string): Promise<{ readonly path: string; readonly modifiedAt: Date }[]> {
  const stats = (path: string) =>
    lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined // another process may have finished it just now
      throw error
    })
  if (!(await stats(folder))?.isDirectory()) return []
  const paths = (await readdir(folder)).filter((name) => namePattern.test(name)).map((name) => join(folder, name))
  const found = await Promise.all(paths.map(async (path) => ({ path, info: await stats(path) })))
  return found.flatMap(({ path, info }) => (info?.isFile() ? [{ path, modifiedAt: info.mtime }] : []))
}
