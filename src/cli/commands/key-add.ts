import { randomBytes } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { removeLeftovers } from '../../postgres/server/leftovers.ts'
import type { AccessChange } from '../../repository/keys/access.ts'
import { generateIdentity, recipientOf, toArmor, wrapWithPassphrase } from '../../repository/keys/age.ts'
import { changeAccess, listKeys } from '../../repository/keys/change-access.ts'
import { formatKeyFile } from '../../repository/keys/key-file.ts'
import { cannotRead } from '../../repository/keys/key-ring.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { describeKey, describeOutcome } from '../keys/known-keys.ts'
import { keyLeftIn, readNewPassphrase } from '../keys/new-key.ts'
import { flag, recipient } from '../option-types.ts'
import { text } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'
import { writeSecretFile } from '../keys/secret-file.ts'

const keyAddOptions = z
  .strictObject({
    recipient: recipient.optional(),
    to: text.optional(),
    writeOnly: flag,
    postQuantum: flag,
    passphrase: flag,
    label: text.max(100, 'must have at most 100 characters').optional(),
  })
  .refine(
    ({ recipient: known, to, passphrase }) =>
      [known !== undefined, to !== undefined, passphrase].filter(Boolean).length === 1,
    'name one of RECIPIENT, --to and --passphrase',
  )
  .refine(({ to, writeOnly }) => to !== undefined || !writeOnly, '--write-only needs --to')
  .refine(
    ({ recipient: known, postQuantum, writeOnly }) => !postQuantum || (known === undefined && !writeOnly),
    '--post-quantum is for a new key that reads',
  )
type KeyAddOptions = z.output<typeof keyAddOptions>

type NewKey = AccessChange['added'][number]

async function keyAdd(options: KeyAddOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  if (!options.writeOnly && !(await repository.canRead())) throw cannotRead()
  await removeLeftovers()
  const file = options.to === undefined ? undefined : resolve(context.currentDirectory, options.to)
  const key = await newKey(options, file, repository, context)
  const added = { ...key, label: options.label ?? (file === undefined ? undefined : basename(file, '.key')) }
  const outcome = await changeAccess(repository, { added: [added], removed: [] }, context).catch(
    async (error: unknown) => {
      const isKnown = await listKeys(repository).then(
        (keys) => keys.some((known) => known.key === key.key),
        () => true,
      )
      if (!isKnown && file !== undefined) await unlink(file)
      throw error
    },
  )
  const mode = options.writeOnly ? 'write-only' : 'can read'
  const { strong } = context.terminal.colors
  return {
    document: { key: key.key, label: added.label ?? null, mode, keyFile: file ?? null, ...outcome.handedOver },
    text:
      `${strong('added')} ${describeKey(added)}: ${options.writeOnly ? 'it writes and lists backups, and does not read them' : 'it reads all backups, earlier ones too'}\n` +
      (file === undefined
        ? ''
        : `  key file      ${printable(file)}  (move it to where it belongs; it is a secret)\n`) +
      describeOutcome(outcome, context.terminal),
  }
}

/** If it has a file, that is written: before the repository knows it. */
async function newKey(
  options: KeyAddOptions,
  file: string | undefined,
  repository: Repository,
  context: CommandContext,
): Promise<NewKey> {
  if (options.recipient !== undefined) return { key: options.recipient }
  const keys = await listKeys(repository, context)
  if (file === undefined) {
    if (keys.some(({ hasPassphrase }) => hasPassphrase)) {
      throw new AppError('usage-invalid', 'the repository has a passphrase', {
        hint: '"pgrevive key rotate", opened with it, changes it; "pgrevive key remove passphrase" takes it away',
      })
    }
    const identity = await generateIdentity(options.postQuantum ? 'post-quantum' : 'X25519')
    const passphrase = await toArmor(await wrapWithPassphrase(identity, await readNewPassphrase(context)))
    return { key: await recipientOf(identity), passphrase }
  }
  const left = await keyLeftIn(file, repository)
  const [leftIdentity] = left?.identities ?? []
  const leftKey = options.writeOnly ? left?.writerId : leftIdentity && (await recipientOf(leftIdentity))
  const isUnfinished = leftKey !== undefined && !keys.some(({ key, isInEffect }) => key === leftKey && isInEffect)
  if (isUnfinished && left?.canRead === !options.writeOnly) return { key: leftKey }
  if (options.writeOnly) {
    const id = randomBytes(8).toString('hex')
    const key = repository.key.forWritingOnly(id)
    if (!key) throw new Error('an open repository has a key that pins it')
    await writeSecretFile(file, await formatKeyFile(key))
    return { key: id }
  }
  const identity = await generateIdentity(options.postQuantum ? 'post-quantum' : 'X25519')
  await writeSecretFile(file, await formatKeyFile(repository.key.withIdentities([identity])))
  return { key: await recipientOf(identity) }
}

export const keyAddCommand = defineCommand({
  name: 'key add',
  summary: 'give another key access',
  description:
    'Gives a key access, to earlier backups too: an age recipient, a passphrase, or a new key in a key file for another host. It takes a key that reads. A write-only key file backs up and lists, and reads nothing.',
  arguments: [{ key: 'recipient', name: 'RECIPIENT', presence: 'optional', help: 'an age public key: age1…' }],
  options: [
    { flags: '--to <FILE>', help: 'make a new key and write its key file, which must not exist' },
    { flags: '--write-only', help: 'with --to: a key file that writes and lists, and does not read' },
    { flags: '--post-quantum', help: 'make the new key one that a quantum computer does not break (age 1.3 or later)' },
    { flags: '--passphrase', help: 'a passphrase: from PGREVIVE_NEW_PASSPHRASE, a file, or asked for' },
    { flags: '--label <TEXT>', help: 'whose it is; "key list" shows it (default: the name of the file)' },
  ],
  examples: [
    {
      command: 'pgrevive key add age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --label ann',
      meaning: 'whoever has the other half reads all backups',
    },
    { command: 'pgrevive key add --to db2.key --write-only', meaning: 'a key file for a host that only backs up' },
    { command: 'pgrevive key add --to restore-host.key', meaning: 'a key file for a host that restores and proves' },
    { command: 'pgrevive key add --passphrase', meaning: 'a passphrase opens it, too' },
  ],
  schema: keyAddOptions,
  run: keyAdd,
})
