import { execFile } from 'node:child_process'
import { chmod, cp, readdir, readFile, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { Environment } from '../target/connection-target.ts'
import { serverEnvironment, type ServerAccount } from './server-account.ts'
import type { ServerBinaries } from './server-binaries.ts'

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * Gives a directory of programs that `account` can run. Installed ones are used where they are. An embedded package gets
 * the links between its libraries where npm has not run its install script; if the package can not be written, or the
 * account can not read it (below /root, say), a copy is made at `copyDirectory`, which must not exist and is the caller's
 * to remove. A copy takes about a second and 50 MB; keeping it would mean trusting what lies in a shared /tmp, half of
 * which the system may have cleared away.
 */
export async function prepareServerBinaries(
  binaries: ServerBinaries,
  options: {
    readonly account: ServerAccount
    readonly copyDirectory: string
    readonly environment: Environment
    readonly signal?: AbortSignal | undefined
  },
): Promise<string> {
  if (binaries.source === 'installed') return binaries.directory
  const native = dirname(binaries.directory)
  if ((await linkLibraries(native)) && (await runs(binaries.directory, options))) return binaries.directory
  await cp(native, options.copyDirectory, { recursive: true, verbatimSymlinks: true, filter: isNeeded })
  await linkLibraries(options.copyDirectory)
  await makeReadable(options.copyDirectory)
  return join(options.copyDirectory, 'bin')
}

/** Makes the missing ones of the links that `pg-symlinks.json` names; says whether all are there. */
async function linkLibraries(native: string): Promise<boolean> {
  for (const { source, target } of await readSymlinks(native)) {
    try {
      await symlink(basename(source), join(native, relative('native', target)))
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false
      if (code !== 'EEXIST') throw error
    }
  }
  return true
}

/** The packages of some platforms have no such file. */
async function readSymlinks(native: string): Promise<z.output<typeof symlinksSchema>> {
  try {
    return symlinksSchema.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

function systemCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** Whether the account can run the server and read what initdb needs. */
async function runs(
  directory: string,
  options: { account: ServerAccount; environment: Environment; signal?: AbortSignal | undefined },
): Promise<boolean> {
  const { account, environment, signal } = options
  const how = { ...account, cwd: '/', env: serverEnvironment(environment), signal }
  try {
    await promisify(execFile)(join(directory, 'postgres'), ['--version'], how)
    await promisify(execFile)(join(directory, 'initdb'), ['--version'], how)
    return true
  } catch {
    signal?.throwIfAborted()
    return false
  }
}

/** Static libraries are for building extensions. */
function isNeeded(path: string): boolean {
  return !path.endsWith('.a')
}

async function makeReadable(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await makeReadable(path)
    else if (entry.isFile()) await chmod(path, 0o755)
  }
}
