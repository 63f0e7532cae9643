import { unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import type { Finding } from '../../core/finding.ts'
import { removeLeftovers } from '../../postgres/server/leftovers.ts'
import { createRepository } from '../../repository/create-repository.ts'
import { formatKeyFile } from '../../repository/keys/key-file.ts'
import { configCopyKey, configKey, kitKeys } from '../../repository/objects/object-keys.ts'
import { hasObject } from '../../store/has-object.ts'
import type { AbortOptions, ObjectStore } from '../../store/object-store.ts'
import { inspectStore } from '../../store/probe/inspect-store.ts'
import { probePrefix, probeStore } from '../../store/probe/probe-store.ts'
import type { StorePlace } from '../../store/store-place.ts'
import { readPassphrase } from '../keys/passphrase.ts'
import { recoveryKit } from '../keys/recovery-kit.ts'
import { printable } from '../../core/text/printable.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { createKeyFolder, openStoreAt } from '../repositories/repository-access.ts'
import { type Settings, requireRepository } from '../settings/settings.ts'
import { writeSecretFile } from '../keys/secret-file.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { chunkSize, flag, recipient } from '../option-types.ts'
import { text } from '../../config/value-types.ts'

const initOptions = z.strictObject({
  recipient: z.array(recipient).default([]),
  passphrase: flag,
  /** Where the recovery kit is written, besides being printed. */
  kit: text.optional(),
  /** Bytes; undefined leaves it to the repository's format. */
  chunkSize: chunkSize.optional(),
})
export type InitOptions = z.output<typeof initOptions>

function nextCommand(location: string, { config }: Settings): string {
  const isConfigured = config && config.databases.size > 0 && config.repositories.length > 0
  if (isConfigured) return 'pgrevive backup'
  return `pgrevive backup postgres://user@host/database --repo ${printable(shellWord(location))}`
}

async function init(options: InitOptions, context: CommandContext): Promise<Outcome> {
  const { place, keyFiles } = requireRepository(await context.settings())
  const [named, ...more] = keyFiles
  if (more.length > 0) throw new AppError('usage-invalid', 'several key files are named for one repository')
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
  await removeLeftovers()
  const store = await openStoreAt(place, context, { create: true })
  await refuseForeign(store, { signal })
  const findings = await probe(store, place, context)
  const written: string[] = []
  const write = async (path: string, text: string) => {
    await writeSecretFile(path, text)
    written.push(path)
    return path
  }
  try {
    let kit = ''
    let keyFile = ''
    const { repository, key } = await createRepository(store, {
      recipients: options.recipient,
      passphrase,
      averageChunkBytes: options.chunkSize,
      signal,
      saveKey: async (created) => {
        kit = await recoveryKit(created, created.key)
        await write(kitFile, kit)
        const path = named ?? join(await createKeyFolder(context), `${created.id}.key`)
        // The passphrase opens the repository; the host keeps only what it needs to write.
        const kept = options.passphrase ? created.key.forWritingOnly() : undefined
        keyFile = await write(path, await formatKeyFile(kept ?? created.key))
      },
    })
    const document = {
      repository: repository.id,
      location: store.location,
      keyFile,
      kitFile,
      canRead: key.canRead,
      store: findings,
    }
    const { strong, warning, faint } = terminal.colors
    const shown = terminal.outputIsSeen ? `\n${faint(kit)}\n` : ''
    const text =
      `${strong('repository created')} in ${printable(store.location)}\n${shown}` +
      `  key           ${printable(keyFile)}  (this host uses it)\n` +
      `  recovery kit  ${printable(kitFile)}\n` +
      `  store         does what backups need ("pgrevive doctor --store" tells more)\n\n` +
      `${warning(key.canRead ? 'Keep the recovery kit away from this machine: print it, or put it into a password manager.' : 'The recovery kit holds no reading key: the private halves of the recipients read the backups.')}\n` +
      `Without ${key.canRead ? (options.passphrase ? 'it and without the passphrase' : 'it') : 'them'} nobody can read the backups, not even we.\n\n` +
      `next: ${nextCommand(store.location, await context.settings())}\n`
    return { document, text }
  } catch (error) {
    // whatever failed, a repository that is there, or may be, needs its key
    const isThere = await hasObject(store, configKey).catch(() => true)
    if (!isThere) await Promise.allSettled(written.map((path) => unlink(path)))
    throw error
  }
}

/** What the store does, before anything is entrusted to it. Rejects if it does not do what backups need. */
async function probe(store: ObjectStore, place: StorePlace, context: CommandContext): Promise<Finding[]> {
  const { environment, signal } = context
  if (await hasObject(store, configKey, { signal })) return [] // it is refused in a moment
  const inspect = (key: string) => inspectStore(place, key, { environment, signal })
  const findings = await probeStore(store, { signal, inspect })
  const wrong = findings.find(({ verdict }) => verdict === 'bad')
  if (!wrong) return findings
  if (wrong.error) throw wrong.error
  throw new AppError('store-failed', `${store.location} fails the test "${wrong.check}": ${wrong.meaning}`, {
    hint: '"pgrevive doctor --store" shows all that was tried; name another place',
  })
}

const leftByStoppedInit: ReadonlySet<string> = new Set([configCopyKey, ...kitKeys])

/** A place that holds other things is none for a repository; what holds one already is told by its creator. */
async function refuseForeign(store: ObjectStore, options: AbortOptions): Promise<void> {
  for await (const { key } of store.list('', options)) {
    if (leftByStoppedInit.has(key) || key.startsWith(probePrefix)) continue
    if (await hasObject(store, configKey, options)) return
    throw new AppError('usage-invalid', `${store.location} is not empty`, {
      hint: 'name a place that does not exist yet, or an empty one',
    })
  }
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
      command: "pgrevive init --repo 's3://bucket/shop?region=eu-central-1'",
      meaning: "in a folder of a bucket, with the AWS tools' credentials",
    },
    {
      command:
        'pgrevive init --repo ./backups --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
      meaning: 'this host writes backups, and only the holder of the other half reads them',
    },
  ],
  schema: initOptions,
  run: init,
})
