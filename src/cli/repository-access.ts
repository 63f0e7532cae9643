import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, hasCode } from '../core/app-error.ts'
import { type RepositoryKey, parseKeyFile } from '../repository/keys/key-file.ts'
import { openRepository } from '../repository/open-repository.ts'
import type { Repository } from '../repository/repository.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { openStore } from '../store/open-store.ts'
import type { CommandContext } from './command-context.ts'
import { readPassphrase } from './passphrase.ts'
import { printable } from './printable.ts'
import { requireRepository } from './settings.ts'

/** Opens the repository that the settings name, with the key file they name, this user's keys, or the passphrase. */
export async function openRepositoryOf(context: CommandContext): Promise<Repository> {
  const settings = await context.settings()
  const { signal } = context
  const store = await openStoreOf(context)
  const keys = settings.keyFile === undefined ? await readUserKeys(context) : [await readKeyFile(settings.keyFile)]
  const { PGREVIVE_PASSPHRASE, PGREVIVE_PASSPHRASE_FILE } = context.environment
  if (PGREVIVE_PASSPHRASE !== undefined || PGREVIVE_PASSPHRASE_FILE !== undefined) {
    const passphrase = await readPassphrase(context, { prompt: 'passphrase' })
    return openRepository(store, { keys, passphrase }, { signal })
  }
  try {
    return await openRepository(store, { keys }, { signal })
  } catch (error) {
    if (!hasCode(error, 'key-missing', 'repository-replaced') || settings.keyFile !== undefined) throw error
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

/** Opens the place that the settings name; `create` makes a directory that is not there. */
export async function openStoreOf(
  context: CommandContext,
  options: { readonly create?: boolean } = {},
): Promise<ObjectStore> {
  const onTrouble = (text: string) => context.terminal.warn(printable(text))
  return openStore(requireRepository(await context.settings()), { ...options, onTrouble })
}

/** Where `init` leaves the keys of this user's repositories. */
export function keyFolder({ environment, homeDirectory }: CommandContext): string {
  return join(environment['XDG_CONFIG_HOME'] || join(homeDirectory, '.config'), 'pgrevive')
}

async function readUserKeys(context: CommandContext): Promise<RepositoryKey[]> {
  const folder = keyFolder(context)
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw new AppError('key-missing', `the keys in ${folder} can not be read`, { cause: error })
  })
  return Promise.all(names.filter((name) => name.endsWith('.key')).map((name) => readKeyFile(join(folder, name))))
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
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, `${path}: ${error.message}`, error.hint === undefined ? {} : { hint: error.hint })
  }
}

export async function createKeyFolder(context: CommandContext): Promise<string> {
  const folder = keyFolder(context)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new AppError('key-invalid', `the folder ${folder} can not be created`, { cause: error })
  })
  return folder
}
