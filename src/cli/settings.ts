import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { AppError } from '../core/app-error.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import { type StorePlace, parseStorePlace } from '../store/store-place.ts'
import type { Config } from './config/config.ts'
import type { GlobalOptions } from './global-options.ts'
import type { PgDumpChoice } from '../postgres/pg-dump/pg-dump.ts'

/** What the options, the environment and pgrevive.yaml say together, in this order of precedence. Paths are absolute. */
export interface Settings {
  readonly config: Config | undefined
  readonly repository: StorePlace | undefined
  readonly keyFile: string | undefined
  /** As configured; else the number of cores, at most 4. */
  readonly jobs: number
  readonly pgDump: PgDumpChoice
}

export interface SettingsSource {
  readonly environment: Environment
  readonly currentDirectory: string
  readonly homeDirectory: string
}

/** Throws `config-invalid` with every problem of pgrevive.yaml, and when a configuration that was named is not there. */
export async function loadSettings(
  options: Pick<GlobalOptions, 'repo' | 'keyFile' | 'config'>,
  source: SettingsSource,
): Promise<Settings> {
  const { environment, currentDirectory } = source
  const config = await loadConfig(options.config ?? nonEmpty(environment['PGREVIVE_CONFIG']), source)
  const repository = options.repo ?? nonEmpty(environment['PGREVIVE_REPO'])
  const keyFile = options.keyFile ?? nonEmpty(environment['PGREVIVE_KEY_FILE']) ?? config?.keyFile
  return {
    config,
    repository: repository === undefined ? config?.repository : parseStorePlace(repository, currentDirectory),
    keyFile: keyFile === undefined ? undefined : resolve(currentDirectory, keyFile),
    jobs: config?.jobs ?? Math.min(4, availableParallelism()),
    pgDump: config?.pgDump ?? 'auto',
  }
}

/** Where the repository is; throws `usage-invalid` when none is named. */
export function requireRepository(settings: Settings): StorePlace {
  if (settings.repository !== undefined) return settings.repository
  throw new AppError('usage-invalid', 'no repository is named', {
    hint: 'give --repo with a directory or the URL of a store, such as s3://…, set PGREVIVE_REPO, or write "repository: …" into pgrevive.yaml',
  })
}

async function loadConfig(named: string | undefined, source: SettingsSource): Promise<Config | undefined> {
  const usual = resolve(source.currentDirectory, 'pgrevive.yaml')
  if (named === undefined && !(await isThere(usual))) return undefined
  const { readConfig } = await import('./config/config.ts') // many have none, and YAML takes long to load
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
