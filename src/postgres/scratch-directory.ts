import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, realpath, symlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { processStartTime } from './process-start-time.ts'
import type { ServerAccount } from './server-account.ts'

/** One place, whatever TMPDIR says: short enough for Unix sockets (under 104 bytes), and a later run finds what an earlier one left. */
const registry = '/tmp'
const namePattern = /^pgrevive-scratch-(?<machine>[0-9a-f]{6})-(?<processId>\d+)-(?<startTime>\d+)-\w{6}$/

/** The directories of one scratch server; removed on disposal. The name tells who owns it, so that there is no moment without an owner. */
export interface ScratchDirectory extends AsyncDisposable {
  /** Belongs to pgrevive's user and can not be written by the server's. */
  readonly path: string
  /** For the cluster; empty, and only the server's user may look into it. */
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
  const owner = `${machine()}-${process.pid}-${await processStartTime(process.pid)}`
  const path = await mkdtemp(join(registry, `pgrevive-scratch-${owner}-`))
  owned.defer(() => removeScratchDirectory(path))
  const socketDirectory = join(path, 'socket')
  await mkdir(socketDirectory, { mode: 0o700 })
  const dataDirectory = await mkdtemp(join(options.parentDirectory, 'pgrevive-data-'))
  await symlink(await realpath(dataDirectory), join(path, 'data'))
  if (options.account) {
    const { uid, gid } = options.account
    await chmod(path, 0o711)
    await chown(socketDirectory, uid, gid)
    await chown(dataDirectory, uid, gid)
  }
  const finished = owned.move()
  return { path, dataDirectory, socketDirectory, [Symbol.asyncDispose]: () => finished.disposeAsync() }
}

/**
 * Removes what scratch servers of this user left whose pgrevive has ended without cleaning up, and returns the removed
 * directories. A server that still runs in one ends by itself within a minute: it looks for its postmaster.pid.
 */
export async function sweepScratchServers(): Promise<string[]> {
  const swept: string[] = []
  for (const name of await readdir(registry)) {
    const path = join(registry, name)
    if (!(await isAbandoned(path, name))) continue
    await removeScratchDirectory(path)
    swept.push(path)
  }
  return swept
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const owner = namePattern.exec(name)?.groups
  if (owner?.['machine'] !== machine()) return false
  const found = await lstatIfThere(path)
  if (!found?.isDirectory() || found.uid !== process.geteuid?.()) return false
  return (await processStartTime(Number(owner['processId']))) !== Number(owner['startTime'])
}

/** Containers may share /tmp but not their process ids. */
function machine(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 6)
}

async function lstatIfThere(path: string) {
  try {
    return await lstat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** By `rm`, which can not be led astray by links that the server's user makes meanwhile; Node's own can. */
async function removeScratchDirectory(path: string): Promise<void> {
  const remove = (target: string) => promisify(execFile)('rm', ['-rf', '--', target])
  try {
    await remove(await realpath(join(path, 'data')))
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  await remove(path)
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
