import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, jobs, notBothOnly, notBothOnlyMessage, pgDumpChoice, text, texts } from '../option-types.ts'

const backupOptions = z
  .strictObject({
    /** Each a conninfo or the name of a configured database. */
    databases: texts,
    all: flag,
    jobs: jobs.optional(),
    schema: texts,
    table: texts,
    excludeSchema: texts,
    excludeTable: texts,
    excludeTableData: texts,
    schemaOnly: flag,
    dataOnly: flag,
    pgDump: pgDumpChoice.optional(),
    comment: text.optional(),
  })
  .refine(notBothOnly, notBothOnlyMessage)
  .refine(
    (options) => !options.all || options.databases.length <= 1,
    '--all takes one DATABASE, which names the server',
  )
export type BackupOptions = z.output<typeof backupOptions>

async function backup(_options: BackupOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
}

export const backupCommand = defineCommand({
  name: 'backup',
  summary: 'back up one database, several, or a whole server',
  description:
    "Backs up every given database at one moment of its own, while others go on using it. DATABASE is a URL, a libpq connection string, or a name from pgrevive.yaml; without one, all databases of pgrevive.yaml are backed up, or the one that libpq's variables (PGHOST, PGDATABASE, …) name. A backup is listed only once every byte of it is stored. Patterns are those of pg_dump; given here they replace the ones of pgrevive.yaml.",
  arguments: [
    {
      key: 'databases',
      name: 'DATABASE',
      presence: 'any number',
      help: 'postgres://…, "host=… dbname=…", or a name from pgrevive.yaml',
    },
  ],
  options: [
    { flags: '--all', help: 'every database of the server that DATABASE names, and its roles' },
    { flags: '--jobs <N>', help: 'connections that read at the same time (default: cores, at most 4)' },
    { flags: '--schema <PATTERN>', help: 'only schemas that match; may be repeated', repeatable: true },
    { flags: '--table <PATTERN>', help: 'only tables that match; may be repeated', repeatable: true },
    { flags: '--exclude-schema <PATTERN>', help: 'no schemas that match; may be repeated', repeatable: true },
    { flags: '--exclude-table <PATTERN>', help: 'no tables that match; may be repeated', repeatable: true },
    {
      flags: '--exclude-table-data <PATTERN>',
      help: 'the definition but not the rows of tables that match; may be repeated',
      repeatable: true,
    },
    { flags: '--schema-only', help: 'definitions without rows' },
    { flags: '--data-only', help: 'rows without definitions' },
    { flags: '--pg-dump <WHICH>', help: 'auto, bundled, or the path of a pg_dump (default: auto)' },
    { flags: '--comment <TEXT>', help: 'a remark that list shows' },
  ],
  examples: [
    {
      command: 'pgrevive backup postgres://backup@db.internal/shop --repo ./backups',
      meaning: 'one database; the password comes from .pgpass or PGPASSWORD',
    },
    { command: 'pgrevive backup', meaning: 'all databases of pgrevive.yaml' },
    { command: 'pgrevive backup --all "host=db.internal user=postgres"', meaning: 'a whole server' },
    {
      command: "pgrevive backup shop --exclude-table-data 'audit.*' --jobs 8",
      meaning: 'without the rows of a schema',
    },
  ],
  schema: backupOptions,
  run: backup,
})
