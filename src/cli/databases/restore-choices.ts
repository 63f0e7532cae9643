import { z } from 'zod'
import type { RestoreChoices } from '../../repository/backups/restore-plan.ts'
import type { CommandOption } from '../define-command.ts'
import { flag, flagOn, roleMapping, texts } from '../option-types.ts'

/** What `restore` and `export` let one choose: what of a backup, and with whose names. Refine with `notBothOnly`. */
export const choiceFields = {
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
}

export const choiceOptions: readonly CommandOption[] = [
  {
    flags: '--table <PATTERN>',
    help: 'only tables that match, with all their partitions; may be repeated',
    repeatable: true,
  },
  { flags: '--schema <PATTERN>', help: 'only schemas that match; may be repeated', repeatable: true },
  { flags: '--schema-only', help: 'definitions without rows' },
  { flags: '--data-only', help: 'rows without definitions' },
  { flags: '--no-owner', help: 'everything belongs to the role that restores' },
  { flags: '--no-privileges', help: 'no GRANT and REVOKE' },
  { flags: '--no-tablespaces', help: 'everything in the default tablespace' },
  { flags: '--role-map <OLD=NEW>', help: 'another role for one of the backup; may be repeated', repeatable: true },
]

export function choicesOf(options: z.output<z.ZodObject<typeof choiceFields>>): RestoreChoices {
  return {
    tables: options.table,
    schemas: options.schema,
    content: options.schemaOnly ? 'schema-only' : options.dataOnly ? 'data-only' : 'all',
    noOwner: !options.owner,
    noPrivileges: !options.privileges,
    noTablespaces: !options.tablespaces,
    roleMap: new Map(options.roleMap.map(({ from, to }) => [from, to])),
  }
}
