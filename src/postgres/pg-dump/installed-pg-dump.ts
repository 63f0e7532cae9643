import { execFile } from 'node:child_process'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import type { Environment } from '../target/connection-target.ts'
import { findInstalledPrograms } from '../server/installed-programs.ts'
import { serverEnvironment } from '../server/server-account.ts'

export interface InstalledPgDump {
  readonly kind: 'installed'
  readonly version: string
  readonly major: number
  readonly path: string
}

interface Options {
  readonly environment: Environment
  readonly signal?: AbortSignal | undefined
}

/** Those on PATH and where packages put them, that run here: lowest major version first, and of one the newest first. */
export async function findInstalledPgDumps(options: Options): Promise<InstalledPgDump[]> {
  const programs = await findInstalledPrograms('pg_dump', options.environment)
  // Debian's /usr/bin/pg_dump is a link to pg_wrapper, which starts the version that the default cluster has.
  const paths = programs.filter((path) => basename(path) === 'pg_dump')
  const found = await Promise.all(paths.map((path) => inspectPgDump(path, options)))
  return found
    .filter((pgDump) => pgDump !== undefined)
    .toSorted((a, b) => a.major - b.major || b.version.localeCompare(a.version, 'en', { numeric: true }))
}

/** Asks the program itself; undefined if it does not run here or is no pg_dump. */
export async function inspectPgDump(path: string, options: Options): Promise<InstalledPgDump | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], {
      cwd: '/',
      env: serverEnvironment(options.environment),
      timeout: 10_000,
      signal: options.signal,
    })
    const version = /^pg_dump \(PostgreSQL\) (\d+\S*)/.exec(stdout)?.[1]
    return version === undefined ? undefined : { kind: 'installed', version, major: Number.parseInt(version), path }
  } catch {
    options.signal?.throwIfAborted()
    return undefined
  }
}
