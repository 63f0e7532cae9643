import { readdir, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import { createRepository } from '../../repository/create-repository.ts'
import { formatKeyFile } from '../../repository/key-file.ts'
import { DirectoryStore } from '../../store/directory-store.ts'
import { readPassphrase } from '../passphrase.ts'
import { recoveryKit } from '../recovery-kit.ts'
import { printable } from '../printable.ts'
import { createKeyFolder, writeSecretFile } from '../repository-access.ts'
import { requireRepository } from '../settings.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { chunkSize, flag, recipient, text } from '../option-types.ts'

const initOptions = z.strictObject({
  recipient: z.array(recipient).default([]),
  passphrase: flag,
  /** Where the recovery kit is written, besides being printed. */
  kit: text.optional(),
  /** Bytes; undefined leaves it to the repository's format. */
  chunkSize: chunkSize.optional(),
})
export type InitOptions = z.output<typeof initOptions>

async function init(options: InitOptions, context: CommandContext): Promise<Outcome> {
  const settings = await context.settings()
  const { signal, terminal } = context
  const passphrase = options.passphrase
    ? await readPassphrase(context, { prompt: 'passphrase for the new repository', confirm: true })
    : undefined
  if (options.passphrase && passphrase === undefined) {
    throw new AppError('usage-invalid', 'no passphrase is given', {
      hint: 'set PGREVIVE_PASSPHRASE or PGREVIVE_PASSPHRASE_FILE, or run it on a terminal',
    })
  }
  const kitFile = resolve(context.currentDirectory, options.kit ?? 'pgrevive-recovery-kit.txt')
  const reservedKeyFile = settings.keyFile ?? join(await createKeyFolder(context), `unfinished-${process.pid}`)
  const reserved = new Set<string>()
  const directory = requireRepository(settings)
  await refuseForeign(directory)
  try {
    // Both files first: a repository whose key could not be written would be of no use to anybody.
    for (const path of [kitFile, reservedKeyFile]) {
      await writeSecretFile(path, '')
      reserved.add(path)
    }
    const store = await DirectoryStore.create(directory)
    const { repository, key } = await createRepository(store, {
      recipients: options.recipient,
      passphrase,
      averageChunkBytes: options.chunkSize,
      signal,
    })
    const keyFile = settings.keyFile ?? join(await createKeyFolder(context), `${repository.id}.key`)
    const kit = await recoveryKit(repository, key)
    await unlink(kitFile)
    await writeSecretFile(kitFile, kit)
    reserved.delete(kitFile) // whatever happens now, it opens the repository
    await unlink(reservedKeyFile)
    // The passphrase opens the repository; the host keeps only what it needs to write.
    await writeSecretFile(keyFile, await formatKeyFile((options.passphrase && key.forWritingOnly()) || key))
    const document = { repository: repository.id, location: store.location, keyFile, kitFile, canRead: key.canRead }
    const { strong, warning, faint } = terminal.colors
    const shown = terminal.outputIsSeen ? `\n${faint(kit)}\n` : ''
    const text =
      `${strong('repository created')} in ${printable(store.location)}\n${shown}` +
      `  key           ${printable(keyFile)}  (this host uses it)\n` +
      `  recovery kit  ${printable(kitFile)}\n\n` +
      `${warning(key.canRead ? 'Keep the recovery kit away from this machine: print it, or put it into a password manager.' : 'The recovery kit holds no reading key: the private halves of the recipients read the backups.')}\n` +
      `Without ${key.canRead ? (options.passphrase ? 'it and without the passphrase' : 'it') : 'them'} nobody can read the backups, not even we.\n\n` +
      `next: pgrevive backup postgres://user@host/database --repo ${printable(store.location)}\n`
    return { document, text }
  } catch (error) {
    await Promise.allSettled([...reserved].map((path) => unlink(path)))
    throw error
  }
}

/** A directory that holds other things is no place for a repository; what holds one already is told by its creator. */
async function refuseForeign(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []) // whether it can be made and read shows when it is created
  if (names.length === 0 || names.includes('config') || names.includes('config.bak')) return
  throw new AppError('usage-invalid', `${directory} is not empty`, {
    hint: 'name a directory that does not exist yet, or an empty one',
  })
}

export const initCommand = defineCommand({
  name: 'init',
  summary: 'create a repository and its recovery kit',
  description:
    'Creates an encrypted repository and prints its recovery kit. Without the kit (or another key that opens the ' +
    'repository) the backups can not be read, by nobody: keep it apart from the repository. Unless --recipient or ' +
    '--passphrase says otherwise, a new age key is made and written to the key file.',
  arguments: [],
  options: [
    {
      flags: '--recipient <AGE1…>',
      help: 'an age public key that shall open the repository; may be repeated',
      repeatable: true,
    },
    { flags: '--passphrase', help: 'a passphrase shall open it: from PGREVIVE_PASSPHRASE, a file, or asked for' },
    { flags: '--kit <FILE>', help: 'write the recovery kit to this file too; it must not exist' },
    { flags: '--chunk-size <SIZE>', help: 'average size of a deduplicated piece (default: 64KiB)' },
  ],
  examples: [
    { command: 'pgrevive init --repo ./backups --kit kit.txt', meaning: 'a repository, a new key, the kit in a file' },
    { command: 'pgrevive init --repo ./backups --passphrase', meaning: 'opened by a passphrase instead' },
    {
      command:
        'pgrevive init --repo ./backups --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
      meaning: 'this host writes backups, and only the holder of the other half reads them',
    },
  ],
  schema: initOptions,
  run: init,
})
