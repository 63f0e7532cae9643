import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import type { TransferLimits } from '../../store/limited-store.ts'
import { RateLimit } from '../../store/rate-limit.ts'
import { parseStorePlace } from '../../store/store-place.ts'
import type { Config, RepositorySettings } from '../../config/config.ts'
import type { GlobalOptions } from '../global-options.ts'
import { transferRate } from '../../config/value-types.ts'
import type { PgDumpChoice } from '../../postgres/pg-dump/pg-dump.ts'

/** What the options, the environment and pgrevive.yaml say together, in this order of precedence. Paths are absolute. */
export interface Settings {
  readonly config: Config | undefined
  /** What pgrevive.yaml does not decide: the option or the variable that does. */
  readonly given: Readonly<
    Record<'config' | 'repositories' | 'keyFiles' | 'limitUpload' | 'limitDownload', string | undefined>
  >
  /** Those that a command is to work on; none if nobody named any. */
  readonly repositories: readonly RepositorySettings[]
  /** Those that the options or the environment name. */
  readonly keyFiles: readonly string[]
  /** Repositories are only read, as they were then. */
  readonly asOf: Date | undefined
  /** Whose variables the environment has. */
  readonly environmentFile: string | undefined
  /** As configured; else the number of cores, at most 4. */
  readonly jobs: number
  readonly pgDump: PgDumpChoice
  /** Where runs leave their logs; undefined: they keep none. */
  readonly logDirectory: string | undefined
  /** Of all stores together. */
  readonly limits: TransferLimits
}

export interface SettingsSource {
  readonly environment: Environment
  readonly currentDirectory: string
  readonly homeDirectory: string
}

/** Throws `config-invalid` with every problem of pgrevive.yaml, and when a configuration that was named is not there. */
export async function loadSettings(
  options: Pick<
    GlobalOptions,
    'repo' | 'keyFile' | 'config' | 'environmentFile' | 'asOf' | 'limitUpload' | 'limitDownload'
  >,
  source: SettingsSource,
): Promise<Settings> {
  const { environment, currentDirectory } = source
  const config = await loadConfig(options.config ?? nonEmpty(environment['PGREVIVE_CONFIG']), source)
  const keyFiles = optionOrVariable(options.keyFile, environment['PGREVIVE_KEY_FILE'])
  const whoGives = (flag: string, isGiven: boolean, variable: string) =>
    isGiven ? flag : nonEmpty(environment[variable]) && variable
  const settings: Settings = {
    config,
    given: {
      config: whoGives('--config', options.config !== undefined, 'PGREVIVE_CONFIG'),
      repositories: whoGives('--repo', options.repo.length > 0, 'PGREVIVE_REPO'),
      keyFiles: whoGives('--key-file', options.keyFile.length > 0, 'PGREVIVE_KEY_FILE'),
      limitUpload: whoGives('--limit-upload', options.limitUpload !== undefined, 'PGREVIVE_LIMIT_UPLOAD'),
      limitDownload: whoGives('--limit-download', options.limitDownload !== undefined, 'PGREVIVE_LIMIT_DOWNLOAD'),
    },
    repositories: [],
    keyFiles: keyFiles.map((path) => resolve(currentDirectory, path)),
    asOf: options.asOf,
    environmentFile: options.environmentFile && resolve(currentDirectory, options.environmentFile),
    jobs: config?.jobs ?? Math.min(4, availableParallelism()),
    pgDump: config?.pgDump ?? 'auto',
    logDirectory: logDirectory(config, source),
    limits: {
      upload: rateLimit(options.limitUpload, 'PGREVIVE_LIMIT_UPLOAD', environment, config?.limitUpload),
      download: rateLimit(options.limitDownload, 'PGREVIVE_LIMIT_DOWNLOAD', environment, config?.limitDownload),
    },
  }
  const named = optionOrVariable(options.repo, environment['PGREVIVE_REPO'])
  if (named.length > 0) return withRepositories(settings, named, source)
  return { ...settings, repositories: (config?.repositories ?? []).map((one) => withKeys(one, settings)) }
}

function logDirectory(config: Config | undefined, { environment, homeDirectory }: SettingsSource): string | undefined {
  if (config?.log !== undefined) return config.log === 'none' ? undefined : config.log
  return join(environment['XDG_STATE_HOME'] || join(homeDirectory, '.local', 'state'), 'pgrevive', 'runs')
}

function rateLimit(
  option: number | undefined,
  variable: string,
  environment: Environment,
  configured: number | undefined,
): RateLimit | undefined {
  const given = nonEmpty(environment[variable])
  const bytesPerSecond = option ?? (given === undefined ? configured : parseRate(given, variable))
  return bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond)
}

function parseRate(text: string, variable: string): number {
  const { data, error } = transferRate.safeParse(text)
  if (data !== undefined) return data
  throw new AppError('usage-invalid', `${variable} ${error?.issues[0]?.message}`, {
    hint: 'correct the variable, or remove it',
  })
}

function optionOrVariable(option: readonly string[], variable: string | undefined): readonly string[] {
  if (option.length > 0) return option
  return variable === undefined || variable === '' ? [] : [variable]
}

/** The same settings for repositories that are named, by a name of pgrevive.yaml or a place. */
export function withRepositories(
  settings: Settings,
  named: readonly string[],
  { currentDirectory }: Pick<SettingsSource, 'currentDirectory'>,
): Settings {
  const known = settings.config?.repositories ?? []
  const repositories = named
    .map((text) => known.find(({ name }) => name === text) ?? unconfigured(text, currentDirectory))
    .map((repository) => withKeys(repository, settings))
  refuseRepeated(repositories)
  return { ...settings, repositories }
}

function unconfigured(text: string, directory: string): RepositorySettings {
  return { name: text, place: parseStorePlace(text, directory), keyFiles: [], retention: undefined }
}

/** Key files that the command line or the environment names go before those of pgrevive.yaml. */
function withKeys(repository: RepositorySettings, { keyFiles, config }: Settings): RepositorySettings {
  const candidates = [keyFiles, repository.keyFiles, config?.keyFile === undefined ? [] : [config.keyFile]]
  return { ...repository, keyFiles: candidates.find((files) => files.length > 0) ?? [] }
}

function refuseRepeated(repositories: readonly RepositorySettings[]): void {
  const places = new Set(repositories.map(({ place }) => JSON.stringify(place)))
  if (places.size === repositories.length) return
  throw new AppError('usage-invalid', 'a repository is named twice', { hint: 'name every place once' })
}

/** All that are named; throws `usage-invalid` when none is. */
export function requireRepositories({ repositories }: Settings): readonly RepositorySettings[] {
  if (repositories.length > 0) return repositories
  throw new AppError('usage-invalid', 'no repository is named', {
    hint: 'give --repo with a directory or the URL of a store, such as s3://…, set PGREVIVE_REPO, or write "repository: …" into pgrevive.yaml',
  })
}

/** The only one; throws `usage-invalid` when none is named, or several are. */
export function requireRepository(settings: Settings): RepositorySettings {
  const [only, ...others] = requireRepositories(settings)
  if (only && others.length === 0) return only
  throw new AppError('usage-invalid', 'this command works on one repository, and several are named', {
    hint: `name one with --repo: ${settings.repositories.map(({ name }) => name).join(', ')}`,
  })
}

async function loadConfig(named: string | undefined, source: SettingsSource): Promise<Config | undefined> {
  const usual = resolve(source.currentDirectory, 'pgrevive.yaml')
  if (named === undefined && !(await isThere(usual))) return undefined
  const { readConfig } = await import('../../config/config.ts') // many have none, and YAML takes long to load
  return readConfig(named === undefined ? usual : resolve(source.currentDirectory, named), source)
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw new AppError('config-invalid', `the configuration "${path}" can not be read`, { cause: error })
  }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
