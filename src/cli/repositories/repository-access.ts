import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, hasCode, inContext } from '../../core/app-error.ts'
import { type RepositoryKey, parseKeyFile } from '../../repository/keys/key-file.ts'
import { openRepository } from '../../repository/open-repository.ts'
import type { Repository } from '../../repository/repository.ts'
import { LimitedStore } from '../../store/limited-store.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { openStore } from '../../store/open-store.ts'
import type { StorePlace } from '../../store/store-place.ts'
import type { CommandContext } from '../command-context.ts'
import type { RepositorySettings } from '../../config/config.ts'
import { readPassphrase } from '../keys/passphrase.ts'
import { printable } from '../../core/text/printable.ts'
import { requireRepositories, requireRepository } from '../settings/settings.ts'

/** Opens the only repository that the settings name. */
export async function openRepositoryOf(context: CommandContext): Promise<Repository> {
  return openRepositoryAt(requireRepository(await context.settings()), context)
}

export interface NamedRepository {
  /** What a person calls it. */
  readonly name: string
  readonly repository: Repository
}

export interface FailedRepository {
  readonly name: string
  readonly error: AppError
}

/** Opens all repositories of the settings. Throws the failure of the first when none can be opened. */
export async function openRepositories(
  context: CommandContext,
): Promise<{ readonly opened: readonly NamedRepository[]; readonly failed: readonly FailedRepository[] }> {
  const opened: NamedRepository[] = []
  const failed: FailedRepository[] = []
  for (const settings of requireRepositories(await context.settings())) {
    try {
      const repository = await openRepositoryAt(settings, context)
      refuseSame(repository, opened)
      opened.push({ name: settings.name, repository })
    } catch (error) {
      failed.push({ name: settings.name, error: expected(error, context) })
    }
  }
  if (opened.length === 0) throw failed[0]?.error
  return { opened, failed }
}

/** A copy that shares keys and ids with another, or is it under another name, is no second place. */
function refuseSame({ id, store }: Repository, opened: readonly NamedRepository[]): void {
  const same = opened.find(({ repository }) => repository.id === id)
  if (!same) return
  throw new AppError(
    'usage-invalid',
    `${printable(store.location)} holds the same repository as ${printable(same.name)}`,
    {
      hint: 'name one of them alone; a second place is made by "pgrevive init" there, and filled by "pgrevive sync"',
    },
  )
}

/** A failure that is told while others go on; throws a bug, and what ends the command. */
export function expected(error: unknown, { signal }: CommandContext): AppError {
  signal.throwIfAborted()
  if (error instanceof AppError) return error
  throw error
}

/** Opens a repository with the key file that the settings name, this user's keys, or the passphrase. */
export async function openRepositoryAt(
  { place, keyFiles }: Pick<RepositorySettings, 'place' | 'keyFiles'>,
  context: CommandContext,
): Promise<Repository> {
  const { signal } = context
  const store = await openStoreAt(place, context)
  const keys = (await readKeyFiles(keyFiles, context)).map(({ key }) => key)
  const { PGREVIVE_PASSPHRASE, PGREVIVE_PASSPHRASE_FILE } = context.environment
  if (PGREVIVE_PASSPHRASE !== undefined || PGREVIVE_PASSPHRASE_FILE !== undefined) {
    const passphrase = await readPassphrase(context, { prompt: 'passphrase' })
    return openRepository(store, { keys, passphrase }, { signal })
  }
  try {
    return await openRepository(store, { keys }, { signal })
  } catch (error) {
    if (!hasCode(error, 'key-missing', 'repository-replaced') || keyFiles.length > 0) throw error
    const passphrase = await readPassphrase(context, { prompt: `passphrase of ${store.location}` })
    if (passphrase !== undefined) return openRepository(store, { keys: [], passphrase }, { signal })
    throw new AppError(
      'key-missing',
      `no key in ${keyFolder(context)} belongs to the repository in ${store.location}`,
      {
        cause: error,
        hint: 'give the recovery kit or another key file with --key-file, or set PGREVIVE_PASSPHRASE',
      },
    )
  }
}

/** Opens a store; `create` makes a directory that is not there. */
export async function openStoreAt(
  place: StorePlace,
  context: CommandContext,
  options: { readonly create?: boolean } = {},
): Promise<ObjectStore> {
  const onTrouble = (text: string) => context.terminal.warn(printable(text))
  const { environment, homeDirectory } = context
  const { asOf, limits } = await context.settings()
  const store = await openStore(place, { environment, homeDirectory, ...options, asOf, onTrouble })
  return limits.upload || limits.download ? new LimitedStore(store, limits) : store
}

/** Where `init` leaves the keys of this user's repositories. */
export function keyFolder({ environment, homeDirectory }: CommandContext): string {
  return join(environment['XDG_CONFIG_HOME'] || join(homeDirectory, '.config'), 'pgrevive')
}

export interface KeyFile {
  readonly path: string
  readonly key: RepositoryKey
}

/** The key files that are named for a repository, or else all of this user's. */
export async function readKeyFiles(named: readonly string[], context: CommandContext): Promise<KeyFile[]> {
  const paths = named.length === 0 ? await listUserKeys(context) : named
  return Promise.all(paths.map(async (path) => ({ path, key: await readKeyFile(path) })))
}

async function listUserKeys(context: CommandContext): Promise<string[]> {
  const folder = keyFolder(context)
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw new AppError('key-missing', `the keys in ${folder} can not be read`, { cause: error })
  })
  return names.filter((name) => name.endsWith('.key')).map((name) => join(folder, name))
}

async function readKeyFile(path: string): Promise<RepositoryKey> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new AppError('key-missing', `the key file ${path} can not be read`, {
      cause: error,
      hint: 'check the path and its permissions; the recovery kit is a key file too',
    })
  })
  try {
    return parseKeyFile(text)
  } catch (error) {
    throw inContext(path, error)
  }
}

export async function createKeyFolder(context: CommandContext): Promise<string> {
  const folder = keyFolder(context)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new AppError('key-invalid', `the folder ${folder} can not be created`, { cause: error })
  })
  return folder
}
