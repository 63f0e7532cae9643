import { z } from 'zod'
import { backupReference, backupReferenceHelp } from '../backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, flagOn, jobs, notBothOnly, notBothOnlyMessage, roleMapping, text, texts } from '../option-types.ts'

const restoreOptions = z
  .strictObject({
    backup: backupReference,
    /** A conninfo, the name of a configured database, or a bare name. */
    to: text,
    table: texts,
    schema: texts,
    schemaOnly: flag,
    dataOnly: flag,
    owner: flagOn,
    privileges: flagOn,
    tablespaces: flagOn,
    roleMap: z
      .array(roleMapping)
      .default([])
      .refine((mappings) => new Set(mappings.map(({ from }) => from)).size === mappings.length, 'maps a role twice'),
    createRoles: flag,
    jobs: jobs.optional(),
    analyze: flagOn,
  })
  .refine(notBothOnly, notBothOnlyMessage)
export type RestoreOptions = z.output<typeof restoreOptions>

async function restore(_options: RestoreOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
}

export const restoreCommand = defineCommand({
  name: 'restore',
  summary: 'bring a database back, or parts of it',
  description:
    'Creates the database that --to names as the backup says (encoding, locale, owner, settings) and fills it. Nothing is ever overwritten: a database that holds objects is refused. It stops at the first error, and what is not complete does not keep the final name.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [
    { flags: '--to <URL|NAME>', help: 'the database to create: a URL, a connection string, or a name' },
    { flags: '--table <PATTERN>', help: 'only tables that match; may be repeated', repeatable: true },
    { flags: '--schema <PATTERN>', help: 'only schemas that match; may be repeated', repeatable: true },
    { flags: '--schema-only', help: 'definitions without rows' },
    { flags: '--data-only', help: 'rows without definitions' },
    { flags: '--no-owner', help: 'everything belongs to the role that restores' },
    { flags: '--no-privileges', help: 'no GRANT and REVOKE' },
    { flags: '--no-tablespaces', help: 'everything in the default tablespace' },
    { flags: '--role-map <OLD=NEW>', help: 'another role for one of the backup; may be repeated', repeatable: true },
    { flags: '--create-roles', help: 'create roles that do not exist on the target server' },
    { flags: '--jobs <N>', help: 'connections that write at the same time (default: cores, at most 4)' },
    { flags: '--no-analyze', help: 'do not collect statistics at the end' },
  ],
  examples: [
    { command: 'pgrevive restore latest:shop --to postgres://localhost/shop_restored', meaning: 'the newest state' },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_orders --table public.orders',
      meaning: 'one table into a database of its own',
    },
    {
      command: 'pgrevive restore 01JD8Y --to postgres://admin@hosted.example/shop --no-owner --no-privileges',
      meaning: 'into a hosted server that lacks the roles',
    },
  ],
  schema: restoreOptions,
  run: restore,
})
