import { z } from 'zod'
import { isRecipient } from '../../repository/keys/access.ts'
import { shortKey } from '../../repository/keys/age-identity.ts'
import { listKeys } from '../../repository/keys/change-access.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { formatTable, formatTime } from '../../core/text/format.ts'
import { ownKeys } from '../keys/known-keys.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'

const keyListOptions = z.strictObject({})

async function keyList(_: z.output<typeof keyListOptions>, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const own = await ownKeys(repository)
  const keys = (await listKeys(repository, context)).map((known) => ({
    key: known.key,
    kind: known.kind,
    mode: isRecipient(known.key) ? 'can read' : 'write-only',
    passphrase: known.hasPassphrase,
    label: known.label ?? null,
    since: known.since,
    here: own.has(known.key),
    inEffect: known.isInEffect,
  }))
  for (const { key } of keys.filter(({ inEffect }) => !inEffect)) {
    context.terminal.warn(
      `${shortKey(key)} is not in effect yet: a change was stopped; run it again, or "pgrevive check --repair"`,
    )
  }
  const { colors } = context.terminal
  const table = formatTable(
    [
      { title: 'key', style: colors.strong },
      { title: 'kind' },
      { title: 'mode' },
      { title: 'label' },
      { title: 'since' },
      { title: 'here' },
    ],
    keys.map(({ key, kind, mode, passphrase, label, since, here }) => [
      shortKey(key),
      passphrase ? `${kind}, passphrase` : kind,
      mode,
      label ?? '',
      formatTime(since),
      here ? 'yes' : '',
    ]),
    { heading: colors.faint, width: context.terminal.outputWidth },
  )
  return { document: { keys }, text: table }
}

export const keyListCommand = defineCommand({
  name: 'key list',
  summary: 'show who can read and write',
  description:
    'Shows the keys that the repository knows: their kind, whether they read or only write, their labels, since when they have access, and which of them this host has. Copies of a key file are not known.',
  arguments: [],
  options: [],
  examples: [{ command: 'pgrevive key list', meaning: 'every key' }],
  schema: keyListOptions,
  onEach: true,
  run: keyList,
})
