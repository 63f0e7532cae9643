import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../core/app-error.ts'

export interface DumpPath {
  readonly path: string
  /** Somebody said that this is a dump: by the path itself, or by the name of the file in a directory. */
  readonly named: boolean
}

const dumpEnding = /\.(sql|dump|dmp|backup|bak|pgdump|tar|gz|zst|enc)$/i

/**
 * What the paths stand for: a file, the directory of an archive, or a directory that holds such files and directories; of
 * that in the order of the names, without hidden ones. Throws `dump-unreadable`, and `dump-unknown` for one that holds none.
 */
export async function findDumps(paths: readonly string[]): Promise<DumpPath[]> {
  const found = await Promise.all(paths.map((path) => findIn(path)))
  return found.flat()
}

async function findIn(path: string): Promise<DumpPath[]> {
  try {
    if (await isDump(path)) return [{ path, named: true }]
    const names = (await readdir(path)).filter((name) => !name.startsWith('.')).toSorted()
    const dumps: DumpPath[] = []
    for (const name of names) {
      const inside = join(path, name)
      if (await isDump(inside)) dumps.push({ path: inside, named: dumpEnding.test(name) || !(await isFile(inside)) })
    }
    if (dumps.length > 0) return dumps
  } catch (error) {
    throw new AppError('dump-unreadable', `${path} can not be read: ${messageOf(error)}`, {
      cause: error,
      hint: 'check the path and its permissions',
    })
  }
  throw new AppError('dump-unknown', `${path} holds no file`, { hint: 'directories in it are not searched' })
}

/** As far as can be seen from outside. */
async function isDump(path: string): Promise<boolean> {
  return (await isFile(path)) || (await isFile(join(path, 'toc.dat'), { orNothing: true }))
}

async function isFile(path: string, options: { readonly orNothing?: boolean } = {}): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    const isNothing = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
    if (isNothing && options.orNothing) return false
    throw error
  }
}
