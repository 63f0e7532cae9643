import { chmod, chown, mkdir, readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createTemporaryDirectory, sweepTemporaryDirectories } from '../core/temporary-directory.ts'
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
  const dataDirectory = join(storageDirectory, 'cluster')
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

/** Removes what killed runs of this user left on this machine: scratch servers and every other temporary directory. */
export function sweepScratchServers(): ReturnType<typeof sweepTemporaryDirectories> {
  return sweepTemporaryDirectories(stopServerIn)
}

const stopLimitMs = 10_000

/**
 * Stops a server whose watcher was killed too. It is known by its working directory; what the cluster's own files say is
 * up to whoever could run code in it. Where there is no /proc, it ends by itself within a minute: it misses its
 * postmaster.pid.
 */
async function stopServerIn(storageDirectory: string): Promise<void> {
  const startedAt = performance.now()
  for (;;) {
    const processes = await serverProcessesIn(join(storageDirectory, 'cluster'))
    if (processes.length === 0) return
    const waitedMs = performance.now() - startedAt
    if (waitedMs > 2 * stopLimitMs) throw new Error(`process ${processes.join()} does not end`)
    for (const id of processes) endProcess(id, waitedMs < stopLimitMs ? 'SIGQUIT' : 'SIGKILL')
    await delay(50)
  }
}

async function serverProcessesIn(directory: string): Promise<number[]> {
  const names = process.platform === 'linux' ? await readdir('/proc') : []
  const found = await Promise.all(
    names.map(async (name) => {
      const id = Number(name)
      if (!(id > 0)) return []
      // those of other users, and those that end at this moment, can not be looked at
      const isHere = (await readlink(`/proc/${name}/cwd`).catch(() => '')) === directory
      return isHere && (await readFile(`/proc/${name}/comm`, 'latin1').catch(() => '')) === 'postgres\n' ? [id] : []
    }),
  )
  return found.flat()
}

function endProcess(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
