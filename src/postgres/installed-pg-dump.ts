import { execFile } from 'node:child_process'
import { glob, realpath } from 'node:fs/promises'
import { basename, delimiter, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import type { Environment } from './connection-target.ts'
import { serverEnvironment } from './server-account.ts'

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

const directories = [
  '/usr/lib/postgresql/*/bin', // Debian, Ubuntu
  '/usr/pgsql-*/bin', // the PostgreSQL project's RPMs
  '/usr/lib/postgresql*/bin', // SUSE
  '/usr/libexec/postgresql*', // Alpine
  '/usr/local/pgsql/bin', // built from source
  '/opt/homebrew/opt/{postgresql@*,libpq}/bin',
  '/usr/local/opt/{postgresql@*,libpq}/bin',
  '/home/linuxbrew/.linuxbrew/opt/{postgresql@*,libpq}/bin',
  '/Applications/Postgres.app/Contents/Versions/*/bin',
]

/** Those on PATH and where packages put them, that run here: lowest major version first, and of one the newest first. */
export async function findInstalledPgDumps(options: Options): Promise<InstalledPgDump[]> {
  const onPath = (options.environment['PATH'] ?? '').split(delimiter).filter((directory) => isAbsolute(directory))
  const places = [...onPath, ...(await Array.fromAsync(glob(directories)))]
  const resolved = await Promise.all(places.map((place) => realpath(join(place, 'pg_dump')).catch(() => undefined)))
  // Debian's /usr/bin/pg_dump is a link to pg_wrapper, which starts the version that the default cluster has.
  const paths = resolved.flatMap((path) => (path !== undefined && basename(path) === 'pg_dump' ? [path] : []))
  const found = await Promise.all([...new Set(paths)].map((path) => inspectPgDump(path, options)))
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
