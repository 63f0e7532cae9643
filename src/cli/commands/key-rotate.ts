import { resolve } from 'node:path'
import { z } from 'zod'
import { removeLeftovers } from '../../postgres/server/leftovers.ts'
import { generateIdentity, recipientOf, toArmor, wrapWithPassphrase } from '../../repository/keys/age.ts'
import { shortKey } from '../../repository/keys/age-identity.ts'
import { changeAccess, listKeys } from '../../repository/keys/change-access.ts'
import { formatKeyFile, type RepositoryKey } from '../../repository/keys/key-file.ts'
import { cannotRead } from '../../repository/keys/key-ring.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { describeKey, describeOutcome, ownKeys } from '../keys/known-keys.ts'
import { keyLeftIn, readNewPassphrase } from '../keys/new-key.ts'
import { flag } from '../option-types.ts'
import { text } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { recoveryKit } from '../keys/recovery-kit.ts'
import { type KeyFile, openRepositoryOf, readKeyFiles } from '../repositories/repository-access.ts'
import { requireRepository } from '../settings/settings.ts'
import { keepFile, replaceSecretFile, writeSecretFile } from '../keys/secret-file.ts'

const keyRotateOptions = z.strictObject({ kit: text.optional(), postQuantum: flag })
type KeyRotateOptions = z.output<typeof keyRotateOptions>

/**
 * The new identity is in the recovery kit, and beside the old one in the key files, before the repository knows it; the old
 * one leaves the key files last. A run that was stopped is finished by the same command: it finds the identity in the kit.
 */
async function keyRotate(options: KeyRotateOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  if (!(await repository.canRead())) throw cannotRead()
  await removeLeftovers()
  const keys = await listKeys(repository, context)
  const own = await ownKeys(repository)
  const kitFile = resolve(context.currentDirectory, options.kit ?? 'pgrevive-recovery-kit.txt')
  const { keyFiles } = requireRepository(await context.settings())
  const { files, others } = ownFiles(await readKeyFiles(keyFiles, context), repository)
  const left = await keyLeftIn(kitFile, repository)
  const isUnfinished = left !== undefined && (await isStopped(left, files, repository))
  const [identity = await generateIdentity(options.postQuantum ? 'post-quantum' : 'X25519')] = isUnfinished
    ? left.identities
    : []
  const recipient = await recipientOf(identity)
  const old = keys.filter(({ key }) => own.has(key) && key !== recipient)
  const known = keys.find(({ key, isInEffect }) => key === recipient && isInEffect)
  const passphrase =
    !known && old.some(({ hasPassphrase }) => hasPassphrase) ? await readNewPassphrase(context) : undefined

  const recipients = [...repository.recipients.filter((key) => !own.has(key)), recipient]
  const kit = await recoveryKit(repository, repository.key.withIdentities([identity]), recipients)
  if (!isUnfinished) await writeSecretFile(kitFile, kit)
  const kept: string[] = []
  for (const { path, key } of files) {
    if (key.identities.includes(identity)) continue
    const both = await formatKeyFile(key.withIdentities([identity, ...key.identities]))
    kept.push(await keepFile(path))
    await replaceSecretFile(path, both)
  }
  const file = passphrase === undefined ? undefined : await toArmor(await wrapWithPassphrase(identity, passphrase))
  const { label } = known ?? old.find((one) => one.label !== undefined) ?? {}
  const outcome = await changeAccess(
    repository,
    {
      added: [{ key: recipient, label, passphrase: file }],
      removed: old.map(({ key }) => key),
    },
    context,
  )
  for (const { path, key } of files) {
    await replaceSecretFile(path, await formatKeyFile(key.withIdentities([identity])))
  }
  for (const { path } of others) {
    context.terminal.warn(
      `${printable(path)} is an age identity file and stays as it is: use the recovery kit from now on`,
    )
  }
  const { strong, warning, faint } = context.terminal.colors
  const shown = context.terminal.outputIsSeen ? `\n${faint(kit)}\n` : ''
  return {
    document: {
      key: recipient,
      replaced: old.map(({ key }) => key),
      kitFile,
      keyFiles: files.map(({ path }) => path),
      kept,
      ...outcome.handedOver,
    },
    text:
      `${strong('rotated')}: ${shortKey(recipient)} in the place of ${old.map(describeKey).join(', ') || 'no other'}\n${shown}` +
      files.map(({ path }) => `  key           ${printable(path)}\n`).join('') +
      kept
        .map(
          (path) =>
            `  old key       ${printable(path)}  (reads earlier backups; remove it once you have the new kit)\n`,
        )
        .join('') +
      `  recovery kit  ${printable(kitFile)}\n` +
      describeOutcome(outcome, context.terminal) +
      `${warning('Keep the recovery kit away from this machine.')} The old one reads no backups that begin from now on.\n`,
  }
}

/** Whether a run of `key rotate` wrote this kit and did not come to its end. */
async function isStopped(left: RepositoryKey, files: readonly KeyFile[], repository: Repository): Promise<boolean> {
  const [identity] = left.identities
  if (identity === undefined) return false
  if (!repository.recipients.includes(await recipientOf(identity))) return true
  return files.some(({ key }) => key.identities.includes(identity) && key.identities.length > 1)
}

/** Key files of this repository that read; others, such as somebody's age identity, are not ours to change. */
function ownFiles(all: readonly KeyFile[], repository: Repository) {
  const reading = all.filter(({ key }) => key.canRead)
  return {
    files: reading.filter(({ key }) => key.repositoryId === repository.id),
    others: reading.filter(({ key }) => key.repositoryId === undefined),
  }
}

export const keyRotateCommand = defineCommand({
  name: 'key rotate',
  summary: 'replace the key of this host and its recovery kit',
  description:
    'Makes a new key in the place of the one that opened the repository, and a new recovery kit. The new key reads all backups; the old one only those that have begun. Key files of this host are replaced, and the old ones kept beside them. A passphrase that opened the repository is replaced by a new one.',
  arguments: [],
  options: [
    {
      flags: '--kit <FILE>',
      help: 'where the new recovery kit is written (default: pgrevive-recovery-kit.txt); it must not exist',
    },
    { flags: '--post-quantum', help: 'make the new key one that a quantum computer does not break (age 1.3 or later)' },
  ],
  examples: [
    { command: 'pgrevive key rotate --kit kit-2027.txt', meaning: 'after the old kit was lost, or seen by somebody' },
  ],
  schema: keyRotateOptions,
  run: keyRotate,
})
