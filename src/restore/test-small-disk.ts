import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rmdir } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why a test that mounts a file system is skipped; false where it can run. */
export const needsRoot = process.geteuid?.() === 0 ? false : 'only root can mount a small file system'

export interface SmallDisk extends AsyncDisposable {
  readonly path: string
  resize(megabytes: number): Promise<void>
}

/** A file system of that size, in tmpfs, which everybody may write to. */
export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const path = await mkdtemp('/tmp/pgrevive-disk-')
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path])
  await chmod(path, 0o777)
  return {
    path,
    resize: async (size) => void (await run('mount', ['-o', `remount,size=${size}m`, path])),
    [Symbol.asyncDispose]: async () => {
      await run('umount', [path])
      await rmdir(path)
    },
  }
}
