import { chmod, chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import type { ServerAccount } from './server-account.ts'

/** The directories of one scratch server; removed on disposal. */
export interface ScratchDirectory extends AsyncDisposable {
  /** Belongs to pgrevive's user and can not be written by the server's. */
  readonly path: string
  /** For all that is large. As `path`, but where the caller wants it. */
  readonly storageDirectory: string
  /** For the cluster; empty, and only the server's user may look into it. In `storageDirectory`. */
  readonly dataDirectory: string
  /** As `dataDirectory`. */
  readonly socketDirectory: string
}

/** In the storage directory. */
export const clusterFolder = 'cluster'

/** `parentDirectory`: where the cluster is to lie; the server's user must be able to reach it. */
export async function createScratchDirectory(options: {
  readonly account: ServerAccount
  readonly parentDirectory: string
}): Promise<ScratchDirectory> {
  await using owned = new AsyncDisposableStack()
  const directory = owned.use(await createTemporaryDirectory('scratch'))
  const socketDirectory = join(directory.path, 'socket')
  await mkdir(socketDirectory, { mode: 0o700 })
  const storageDirectory = await directory.createElsewhere(options.parentDirectory)
  const dataDirectory = join(storageDirectory, clusterFolder)
  await mkdir(dataDirectory, { mode: 0o700 })
  if (options.account) {
    const { uid, gid } = options.account
    await chmod(directory.path, 0o711)
    await chmod(storageDirectory, 0o711)
    await chown(socketDirectory, uid, gid)
    await chown(dataDirectory, uid, gid)
  }
  const finished = owned.move()
  return {
    path: directory.path,
    storageDirectory,
    dataDirectory,
    socketDirectory,
    [Symbol.asyncDispose]: () => finished.disposeAsync(),
  }
}
