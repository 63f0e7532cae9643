import { z } from 'zod'
import { choiceFields, choiceOptions } from '../databases/restore-choices.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import type { CommandContext } from '../command-context.ts'
import {
  flag,
  flagOn,
  jobs,
  notBothOnly,
  notBothOnlyMessage,
  qualifiedName,
  sqlName,
  sqlNames,
  wholeNumber,
} from '../option-types.ts'
import { text } from '../../config/value-types.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import { abortRestore, finishRestore, resumeRestore, undoRestore } from '../restoring/after-swap.ts'
import { planRestoring } from '../restoring/plan.ts'
import { diffRowsOfTables, mostListed } from '../restoring/diff-rows.ts'
import { restoreOverLive } from '../restoring/restore-in-place.ts'
import { restoreNew } from '../restoring/restore-new.ts'
import { restoreReplacing } from '../restoring/restore-replace.ts'
import { restoreRowsBeside } from '../restoring/restore-rows.ts'
import { checkWay, wayOf } from '../restoring/ways.ts'

const restoreOptions = z
  .strictObject({
    backup: backupReference.optional(),
    /** A conninfo, the name of a configured database, or a bare name. */
    to: text.optional(),
    inPlace: flag,
    undo: flag,
    finish: flag,
    resume: flag,
    abort: flag,
    partial: flag,
    /** Seconds. */
    grace: wholeNumber({ min: 0, max: 3600 }).optional(),
    safetyBackup: flagOn,
    compare: flagOn,
    ...choiceFields,
    createRoles: flag,
    plan: flag,
    replace: flag,
    confirm: text.optional(),
    skipDamaged: flag,
    jobs: jobs.optional(),
    analyze: flagOn,
    hooks: flagOn,
    intoSchema: sqlName.optional(),
    as: qualifiedName.optional(),
    where: text.optional(),
    diff: flag,
    apply: z.literal('missing', 'must be "missing"').optional(),
    key: sqlNames.default([]),
    limit: wholeNumber({ min: 0, max: mostListed }).optional(),
  })
  .refine(notBothOnly, notBothOnlyMessage)
  .refine(({ intoSchema, as }) => !(intoSchema && as), '--into-schema and --as exclude each other')
  .superRefine(checkWay)
export type RestoreOptions = z.output<typeof restoreOptions>
/** Of a way that takes a backup, or none. */
export type WayOptions = Omit<RestoreOptions, 'backup'>

async function restore({ backup, ...options }: RestoreOptions, context: CommandContext): Promise<Outcome> {
  const way = wayOf(options).name
  if (way === 'undo') return undoRestore(options, context)
  if (way === 'finish') return finishRestore(options, context)
  if (way === 'resume') return resumeRestore(options, context)
  if (way === 'abort') return abortRestore(options, context)
  if (backup === undefined) throw new Error('checkWay has seen to that')
  if (way === 'rows') return restoreRowsBeside(backup, options, context)
  if (way === 'diff') return diffRowsOfTables(backup, options, context)
  if (options.plan) return planRestoring(backup, options, way, context)
  if (way === 'replace') return restoreReplacing(backup, options, context)
  return way === 'in-place' ? restoreOverLive(backup, options, context) : restoreNew(backup, options, context)
}

export const restoreCommand = defineCommand({
  name: 'restore',
  summary: 'bring a database back, or parts of it',
  description:
    'Creates the database that --to names as the backup says (encoding, locale, owner, settings) and fills it. Nothing is ever overwritten: a database that holds objects is refused, and with --in-place the live one is kept under another name, for --undo. It stops at the first error, and what is not complete does not keep the final name. With --into-schema or --as, rows come back into a database in use, as new tables beside the live ones, in one transaction; --diff compares them with those, and --apply missing brings back what is gone.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'optional', help: backupReferenceHelp }],
  options: [
    {
      flags: '--to <URL|NAME>',
      help: 'the database to create: a URL, a connection string, or a name; otherwise the one in use (default: the configured one that the backup is of)',
    },
    {
      flags: '--in-place',
      help: 'take the place of the live database: restored beside it, verified, then the names are swapped; the old one is kept',
    },
    { flags: '--undo', help: 'swap back what the last restore in place has replaced; what was written since is kept' },
    { flags: '--finish', help: 'drop what restores in place have set aside, after a last backup of it' },
    { flags: '--resume', help: 'go on with a restore in place that was killed' },
    { flags: '--abort', help: 'drop what a killed restore in place has made; the database is as it was' },
    { flags: '--partial', help: 'in place: take a backup that has left something out' },
    {
      flags: '--grace <SECONDS>',
      help: 'how long transactions may take to end before the swap ends them (default: 10)',
    },
    { flags: '--no-safety-backup', help: 'do not back up what is replaced or dropped' },
    { flags: '--no-compare', help: 'with --undo: do not read what was written since' },
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
    {
      flags: '--replace',
      help: 'into the existing database that --to names, in the place of what is in it, which is backed up before; for roles that may not create databases',
    },
    {
      flags: '--confirm <NAME>',
      help: 'the name of the database whose contents go, with --replace, and with --in-place where the backup is of another; else it is asked for at the terminal',
    },
    {
      flags: '--into-schema <SCHEMA>',
      help: 'the rows of the chosen tables into new tables in this schema, beside the live ones; it is created if need be',
    },
    { flags: '--as <TABLE>', help: 'the rows of one table into a new one of this name, or SCHEMA.NAME' },
    {
      flags: '--where <SQL>',
      help: 'with these: only rows that it holds for; it sees the columns of one row, and no other table',
    },
    {
      flags: '--diff',
      help: 'only say how the rows of the chosen tables differ from the live ones, by their primary key; exit code 9 if they do',
    },
    {
      flags: '--apply <missing>',
      help: 'as --diff, and insert the rows that the live tables lack; nothing is overwritten; exit code 9 if some are lacking still',
    },
    {
      flags: '--key <COLUMNS>',
      help: 'with these: columns that tell the rows apart, in place of the primary key: a,b',
    },
    {
      flags: '--limit <N>',
      help: `with these: how many differences of each kind are shown (default: 10, with --json all up to ${mostListed})`,
    },
  ],
  examples: [
    { command: 'pgrevive restore latest:shop --to postgres://localhost/shop_restored', meaning: 'the newest state' },
    { command: 'pgrevive restore latest:shop --in-place', meaning: 'in place of the configured database' },
    { command: 'pgrevive restore --undo --to shop', meaning: 'and back again' },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_orders --table public.orders',
      meaning: 'one table into a database of its own',
    },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_restored --plan',
      meaning: 'whether it would work, and how long it may take',
    },
    {
      command: `pgrevive restore latest:shop --table public.orders --as orders_restored --where 'total > 100'`,
      meaning: 'some rows of a table, beside the live one',
    },
    {
      command: 'pgrevive restore latest:shop --table public.orders --diff',
      meaning: 'which rows the live table lacks',
    },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_rescued --skip-damaged',
      meaning: 'as much as a damaged repository still gives',
    },
    {
      command: 'pgrevive restore 01JD8Y --to postgres://admin@hosted.example/shop --no-owner --no-privileges',
      meaning: 'into a hosted server that lacks the roles',
    },
    {
      command: 'pgrevive restore latest:shop --replace --to postgres://app@hosted.example/shop',
      meaning: 'into a database in use, as its owner, where none can be created',
    },
  ],
  schema: restoreOptions,
  keepsLog: true,
  readsOnly: true,
  run: restore,
})
