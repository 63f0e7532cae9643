import { randomBytes } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from './file-errors.ts'

const namePattern = /^pgrevive-[0-9a-f]{24}$/

/**
 * A temporary file that nobody wrote to for so long belongs to a writer that died. Its owner may be on another host,
 * where nobody can be asked whether it lives. One of the future is as old as it is ahead: a clock was set back.
 */
const abandonedAfterMs = 24 * 3600 * 1000

/** A new name for a file until it is whole. */
export function unfinishedName(): string {
  return `pgrevive-${randomBytes(12).toString('hex')}`
}

export function isUnfinishedName(name: string): boolean {
  return namePattern.test(name)
}

/** Whether the writer of an unfinished file is dead, by the clock of the store. */
export function isAbandoned(modifiedAt: Date, now: Date): boolean {
  return Math.abs(now.getTime() - modifiedAt.getTime()) > abandonedAfterMs
}

/** The folder may be somebody else's: a link is not followed, and only files with names of ours are told. */
export async function listUnfinished(folder: string): Promise<{ readonly path: string; readonly modifiedAt: Date }[]> {
  const stats = (path: string) =>
    lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined // another process may have finished it just now
      throw error
    })
  if (!(await stats(folder))?.isDirectory()) return []
  const paths = (await readdir(folder)).filter(isUnfinishedName).map((name) => join(folder, name))
  const found = await Promise.all(paths.map(async (path) => ({ path, info: await stats(path) })))
  return found.flatMap(({ path, info }) => (info?.isFile() ? [{ path, modifiedAt: info.mtime }] : []))
}
