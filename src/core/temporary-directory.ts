import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { lstat, mkdir, mkdtemp, readdir, readlink, realpath, symlink } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bareEnvironment } from './child-process.ts'
import { processStartTime } from './process-start-time.ts'

/** One place, whatever TMPDIR says: short enough for Unix sockets (under 104 bytes), and a later run finds what an earlier one left. */
const registry = '/tmp'
const namePattern = /^pgrevive-[a-z]+-(?<machine>[0-9a-f]{6})-(?<processId>\d+)-(?<startTime>\d+)-\w{6}$/
/** Leads to what lies elsewhere. */
const linkName = 'data'
/** A socket at which the owner listens: the kernel closes it with the process, however that ends. */
const guardName = 'owner'

/** Removed on disposal, or by a later run if this process is killed; only this user can write to it. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string
  /** Whatever is at this absolute path is removed with the directory. Call it once, and before anything is made there. */
  claim(elsewhere: string): Promise<void>
  /** Makes a directory in `parent` and claims it. */
  createElsewhere(parent: string): Promise<string>
}

/** `kind` is a word for people who look into /tmp. The name tells the owner, so that there is no moment without one. */
export async function createTemporaryDirectory(kind: string): Promise<TemporaryDirectory> {
  await using owned = new AsyncDisposableStack()
  const owner = `${machine()}-${process.pid}-${await processStartTime(process.pid)}`
  const path = await mkdtemp(join(registry, `pgrevive-${kind}-${owner}-`))
  owned.defer(() => removeDirectory(path))
  owned.use(await listenAt(join(path, guardName)))
  const claim = (elsewhere: string) => symlink(elsewhere, join(path, linkName))
  const finished = owned.move()
  return {
    path,
    claim,
    createElsewhere: async (parent) => {
      const elsewhere = join(await realpath(parent), `pgrevive-data-${randomBytes(6).toString('hex')}`)
      await claim(elsewhere)
      await mkdir(elsewhere, { mode: 0o700 })
      return elsewhere
    },
    [Symbol.asyncDispose]: () => finished.disposeAsync(),
  }
}

/**
 * Removes what processes of this user and machine left that have ended without cleaning up. `prepare` is called with the
 * path elsewhere, if one was claimed, before that is removed. What can not be removed is `kept`, for a later run.
 */
export async function sweepTemporaryDirectories(
  prepare: (elsewhere: string) => Promise<void>,
): Promise<{ readonly removed: readonly string[]; readonly kept: readonly string[] }> {
  const swept = { removed: [] as string[], kept: [] as string[] }
  for (const name of await readdir(registry)) {
    const path = join(registry, name)
    if (!(await isAbandoned(path, name))) continue
    const isRemoved = await removeDirectory(path, prepare).then(
      () => true,
      () => false, // reported; another run may be removing it at this moment
    )
    swept[isRemoved ? 'removed' : 'kept'].push(path)
  }
  return swept
}

/** Those of one kind that processes of this user and machine have made, which still run. */
export async function listLivingDirectories(kind: string): Promise<string[]> {
  const living: string[] = []
  for (const name of await readdir(registry)) {
    const path = join(registry, name)
    if (!name.startsWith(`pgrevive-${kind}-`) || !(await isOurs(path, name))) continue
    if (!(await isAbandoned(path, name))) living.push(path)
  }
  return living
}

/** Two signs of life: process ids mean nothing in another container, and the guard is not there from the first moment. */
async function isAbandoned(path: string, name: string): Promise<boolean> {
  if (!(await isOurs(path, name))) return false
  const owner = namePattern.exec(name)?.groups
  if ((await processStartTime(Number(owner?.['processId']))) === Number(owner?.['startTime'])) return false
  return !(await answers(join(path, guardName)))
}

/** Made by a process of this user and machine, so that nobody else can make us believe that one lives, or remove it. */
async function isOurs(path: string, name: string): Promise<boolean> {
  if (namePattern.exec(name)?.groups?.['machine'] !== machine()) return false
  const found = await unlessMissing(lstat(path))
  return found?.isDirectory() === true && found.uid === process.geteuid?.()
}

/** Hosts may share a /tmp; what is alive on another one can not be seen from here. */
function machine(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 6)
}

async function listenAt(path: string): Promise<AsyncDisposable> {
  const guard = createServer((socket) => socket.destroy())
  guard.listen(path).unref()
  await once(guard, 'listening')
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => guard.close(() => resolve())) }
}

async function answers(path: string): Promise<boolean> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return !hasSystemCode(error, 'ECONNREFUSED', 'ENOENT')
  } finally {
    socket.destroy()
  }
}

/** By `rm`, which can not be led astray by links that others make meanwhile; Node's own can. */
async function removeDirectory(path: string, prepare?: (elsewhere: string) => Promise<void>): Promise<void> {
  const remove = (target: string) => promisify(execFile)('rm', ['-rf', '--', target], { env: bareEnvironment() })
  const elsewhere = await unlessMissing(readlink(join(path, linkName)))
  if (elsewhere !== undefined) {
    await prepare?.(elsewhere)
    await remove(elsewhere)
  }
  await remove(path)
}

async function unlessMissing<Value>(found: Promise<Value>): Promise<Value | undefined> {
  try {
    return await found
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function hasSystemCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
