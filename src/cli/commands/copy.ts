import { z } from 'zod'
import { inContext } from '../../core/app-error.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Copying, copyInto, copyingDocument, describeCopying } from '../repositories/copy-into.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { findBackup } from '../repositories/find-backup.ts'
import { listAll } from '../repositories/locate-backup.ts'
import { text } from '../../config/value-types.ts'
import { withRepositories } from '../settings/settings.ts'

const copyOptions = z.strictObject({
  backups: z
    .array(backupReference)
    .default([])
    .refine((backups) => backups.length > 0, 'must be given: name the backups to copy'),
  from: text,
  to: text,
})
export type CopyOptions = z.output<typeof copyOptions>

async function copy(options: CopyOptions, context: CommandContext): Promise<Outcome> {
  const settings = withRepositories(await context.settings(), [options.from, options.to], context)
  const { listed, failed } = await listAll({ ...context, settings: async () => settings })
  const [from, to] = listed
  if (!from || !to) throw failed[0]?.error
  const chosen = new Map(
    options.backups.map((reference) => findBackup(from, reference)).map((backup) => [backup.id, backup]),
  )
  const there = new Set(to.backups.map(({ id }) => id))
  const missing = [...chosen.values()].filter(({ id }) => !there.has(id))
  const copying: Copying = { to: to.name, copied: [], failed: [] }
  await copyInto(copying, { from, to: to.repository }, missing, context)
  const known = [...chosen.keys()].filter((id) => there.has(id))
  const outcome = {
    document: { ...copyingDocument(copying), known },
    text: known.map((id) => `  ${id} is there already\n`).join('') + describeCopying(copying, context),
  }
  const [first] = copying.failed
  if (!first) return outcome
  const notCopied = `${copying.failed.length} of ${missing.length} backups were not copied; ${first.id}`
  return { ...outcome, failure: inContext(notCopied, first.error) }
}

export const copyCommand = defineCommand({
  name: 'copy',
  summary: 'copy backups into another repository',
  description:
    'Copies backups, under their ids, from one repository into another one with other keys, in any kind of store. Every byte is checked against what was written; what is there already is not stored again. The key of the first must read, that of the second needs only to write. A pin goes along; a proof does not: it says that a backup was restored from where it lies. The database is not asked.',
  arguments: [{ key: 'backups', name: 'BACKUP', presence: 'any number', help: `${backupReferenceHelp}; one at least` }],
  options: [
    { flags: '--from <PLACE>', help: 'the repository that has them: a name from pgrevive.yaml, a directory, or a URL' },
    { flags: '--to <PLACE>', help: 'the repository that shall have them' },
  ],
  examples: [
    { command: 'pgrevive copy latest:shop --from local --to offsite', meaning: 'the newest backup of a database' },
    {
      command: "pgrevive copy 01JD8Y --from ./backups --to 's3://vault/shop?region=eu-central-1'",
      meaning: 'without a configuration',
    },
  ],
  schema: copyOptions,
  keepsLog: true,
  run: copy,
})
