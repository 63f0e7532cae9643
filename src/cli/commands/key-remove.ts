import { z } from 'zod'
import { isRecipient } from '../../repository/keys/access.ts'
import { changeAccess, listKeys } from '../../repository/keys/change-access.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { describeKey, describeOutcome, findKey, ownKeys } from '../keys/known-keys.ts'
import { text } from '../../config/value-types.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'

const keyRemoveOptions = z.strictObject({ key: text })

async function keyRemove(
  { key: reference }: z.output<typeof keyRemoveOptions>,
  context: CommandContext,
): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const removed = findKey(await listKeys(repository, context), reference)
  const outcome = await changeAccess(repository, { added: [], removed: [removed.key] }, context)
  if ((await ownKeys(repository)).has(removed.key)) {
    context.terminal.warn('that was a key of this host: what is backed up from now on it does not read')
  }
  const { strong } = context.terminal.colors
  return {
    document: { key: removed.key, label: removed.label ?? null, ...outcome.handedOver },
    text: `${strong('removed')} ${describeKey(removed)}\n${remains(removed.key)}${describeOutcome(outcome, context.terminal)}`,
  }
}

/** What removing does not take away. */
function remains(key: string): string {
  const reading =
    '  Backups that begin from now on are not for it. It still reads every earlier one that it gets hold of, and those under way now.\n'
  const writing = isRecipient(key)
    ? ''
    : '  The repository only forgets its name: a write-only key file works as before.\n'
  return (
    `${isRecipient(key) ? reading : writing}` +
    "  Take away its credentials for the store. Whoever had the key knows the repository's secret, and with the store's credentials sees names\n" +
    '  and sizes and writes backups; only a new repository has a new secret.\n'
  )
}

export const keyRemoveCommand = defineCommand({
  name: 'key remove',
  summary: 'take access away from a key',
  description:
    'Later backups are not written for the key any more. What it could read it still can, if it gets hold of it: also revoke its credentials for the store. The last key that reads is not removed.',
  arguments: [
    {
      key: 'key',
      name: 'KEY',
      presence: 'required',
      help: 'its label, its recipient or a unique beginning of that, or "passphrase"',
    },
  ],
  options: [],
  examples: [
    { command: 'pgrevive key remove ann', meaning: 'by its label' },
    { command: 'pgrevive key remove passphrase', meaning: 'the passphrase, and the key that it opens' },
  ],
  schema: keyRemoveOptions,
  run: keyRemove,
})
