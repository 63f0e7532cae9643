import { readFile } from 'node:fs/promises'
import { AppError } from '../../core/app-error.ts'
import { parseKeyFile, type RepositoryKey } from '../../repository/keys/key-file.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import { readPassphrase } from './passphrase.ts'

/**
 * The key in a file that a run left which was stopped before it was done: a key goes into its file before anybody relies on
 * it. Undefined if there is no such file, or it is none of this repository.
 */
export async function keyLeftIn(path: string, repository: Repository): Promise<RepositoryKey | undefined> {
  try {
    const key = parseKeyFile(await readFile(path, 'utf8'))
    return key.repositoryId === repository.id && key.identities.length <= 1 ? key : undefined
  } catch {
    return undefined // whoever writes it says what is there
  }
}

/** Asks for one that is to be set. Throws `usage-invalid` if there is nobody to ask. */
export async function readNewPassphrase(context: CommandContext): Promise<string> {
  const how = { prompt: 'new passphrase', confirm: true, variable: 'PGREVIVE_NEW_PASSPHRASE' } as const
  const passphrase = await readPassphrase(context, how)
  if (passphrase !== undefined) return passphrase
  throw new AppError('usage-invalid', 'no new passphrase is given', {
    hint: 'set PGREVIVE_NEW_PASSPHRASE or PGREVIVE_NEW_PASSPHRASE_FILE, or run it on a terminal',
  })
}
