import { AppError } from '../core/app-error.ts'
import { type DumpFiles, unreadable } from './dump-files.ts'

export interface DumpPath {
  readonly path: string
  readonly files: DumpFiles
  /** Somebody said that this is a dump: by the path itself, or by the name of the file in a directory. */
  readonly named: boolean
}

const dumpEnding = /\.(sql|dump|dmp|backup|bak|pgdump|tar|gz|zst|enc)$/i

/**
 * What a path stands for: a file, the directory of an archive, or a directory that holds such files and directories; of
 * that in the order of the names, without hidden ones. Throws `dump-unreadable`, and `dump-unknown` for one that holds none.
 */
export async function findDumps(path: string, files: DumpFiles): Promise<DumpPath[]> {
  const kind = await kindOf(path, files)
  if (kind === 'nothing') throw unreadable(path)
  if (kind !== 'directory') return [{ path, files, named: true }]
  const names = (await files.names(path)).filter((name) => !name.startsWith('.')).toSorted()
  const dumps: DumpPath[] = []
  for (const name of names) {
    const inside = files.join(path, name)
    const found = await kindOf(inside, files)
    if (found === 'file' || found === 'archive') {
      dumps.push({ path: inside, files, named: found === 'archive' || dumpEnding.test(name) })
    }
  }
  if (dumps.length > 0) return dumps
  throw new AppError('dump-unknown', `${path} holds no file`, { hint: 'directories in it are not searched' })
}

/** As far as can be seen from outside. */
async function kindOf(path: string, files: DumpFiles): Promise<'file' | 'archive' | 'directory' | 'nothing'> {
  const found = await files.look(path)
  if (!found) return 'nothing'
  if (!found.isDirectory) return 'file'
  const contents = await files.look(files.join(path, 'toc.dat'))
  return contents && !contents.isDirectory ? 'archive' : 'directory'
}
