import { z } from 'zod'
import { choiceFields, choiceOptions } from '../databases/restore-choices.ts'
import { defineCommand } from '../define-command.ts'
import { flag, flagOn, jobs, notBothOnly, notBothOnlyMessage, text } from '../option-types.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import { planRestoring } from '../restoring/plan.ts'
import { restoreNew } from '../restoring/restore-new.ts'

const restoreOptions = z
  .strictObject({
    backup: backupReference,
    /** A conninfo, the name of a configured database, or a bare name. */
    to: text,
    ...choiceFields,
    createRoles: flag,
    plan: flag,
    skipDamaged: flag,
    jobs: jobs.optional(),
    analyze: flagOn,
    hooks: flagOn,
  })
  .refine(notBothOnly, notBothOnlyMessage)
export type RestoreOptions = z.output<typeof restoreOptions>

export const restoreCommand = defineCommand({
  name: 'restore',
  summary: 'bring a database back, or parts of it',
  description:
    'Creates the database that --to names as the backup says (encoding, locale, owner, settings) and fills it. Nothing is ever overwritten: a database that holds objects is refused. It stops at the first error, and what is not complete does not keep the final name.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [
    { flags: '--to <URL|NAME>', help: 'the database to create: a URL, a connection string, or a name' },
    ...choiceOptions,
    { flags: '--create-roles', help: 'create roles that do not exist on the target server' },
    {
      flags: '--skip-damaged',
      help: 'leave out what is damaged in the repository: every row that can be read is restored, what is lost is told, and the exit code is 10',
    },
    { flags: '--jobs <N>', help: 'connections that write at the same time (default: cores, at most 4)' },
    { flags: '--no-analyze', help: 'do not collect statistics at the end' },
    { flags: '--no-hooks', help: 'without the hooks of pgrevive.yaml' },
    {
      flags: '--plan',
      help: 'only say what would be done, what stands in its way, and how long it took in the last proof; change nothing',
    },
  ],
  examples: [
    { command: 'pgrevive restore latest:shop --to postgres://localhost/shop_restored', meaning: 'the newest state' },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_orders --table public.orders',
      meaning: 'one table into a database of its own',
    },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_restored --plan',
      meaning: 'whether it would work, and how long it may take',
    },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_rescued --skip-damaged',
      meaning: 'as much as a damaged repository still gives',
    },
    {
      command: 'pgrevive restore 01JD8Y --to postgres://admin@hosted.example/shop --no-owner --no-privileges',
      meaning: 'into a hosted server that lacks the roles',
    },
  ],
  schema: restoreOptions,
  readsOnly: true,
  run: (options, context) => (options.plan ? planRestoring(options, 'new', context) : restoreNew(options, context)),
})
