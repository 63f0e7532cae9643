import { readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { sweepTemporaryDirectories } from '../../core/temporary-directory.ts'
import { clusterFolder } from './scratch-directory.ts'

/**
 * Removes what killed runs of this user left on this machine: scratch servers, and every other temporary directory and what
 * it had claimed.
 */
export function removeLeftovers(): ReturnType<typeof sweepTemporaryDirectories> {
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
    const processes = await serverProcessesIn(join(storageDirectory, clusterFolder))
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
