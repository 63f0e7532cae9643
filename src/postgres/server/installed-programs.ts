import { glob, realpath } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Environment } from '../target/connection-target.ts'

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

/** The real paths of a program of PostgreSQL's on PATH and where packages put it, each once. */
export async function findInstalledPrograms(name: string, environment: Environment): Promise<string[]> {
  const onPath = (environment['PATH'] ?? '').split(delimiter).filter((directory) => isAbsolute(directory))
  const places = [...onPath, ...(await Array.fromAsync(glob(directories)))]
  const resolved = await Promise.all(places.map((place) => realpath(join(place, name)).catch(() => undefined)))
  return [...new Set(resolved.filter((path) => path !== undefined))]
}
