import { resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import type { Compression } from '../../export/compression.ts'
import { type ExportFormat, exportBackup, exportGlobals } from '../../export/export-backup.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { formatBytes, formatDuration, formatQuantity } from '../../core/text/format.ts'
import { compression, exportFormat, flag, jobs, notBothOnly, notBothOnlyMessage } from '../option-types.ts'
import { text } from '../../config/value-types.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { printable } from '../../core/text/printable.ts'
import { choiceFields, choiceOptions, choicesOf } from '../databases/restore-choices.ts'

const exportOptions = z
  .strictObject({
    backup: backupReference,
    format: exportFormat,
    /** `-` is stdout. */
    output: text.default('-'),
    compress: compression.optional(),
    ...choiceFields,
    create: flag,
    singleTransaction: flag,
    globalsOnly: flag,
    jobs: jobs.optional(),
  })
  .refine(notBothOnly, notBothOnlyMessage)
  .refine(
    ({ format, create, singleTransaction, globalsOnly }) =>
      format === 'plain' || (!create && !singleTransaction && !globalsOnly),
    '--create, --single-transaction and --globals-only are about a script; for an archive give the first two to pg_restore',
  )
  .refine(
    ({ format, compress }) => format === 'plain' || compress?.method !== 'zstd',
    'archives are compressed with gzip: pg_restore knows zstd only from version 16 on',
  )
  .refine(
    ({ format, output }) => format === 'plain' || !/\.(gz|zst)$/.test(output),
    'an archive is compressed inside, so that pg_restore can read it: its name must not end in .gz or .zst',
  )
  .refine(({ format, output }) => format !== 'directory' || output !== '-', '--output must name the directory to make')
type ExportOptions = z.output<typeof exportOptions>

async function writeExport(options: ExportOptions, context: CommandContext): Promise<Outcome> {
  const startedMs = performance.now()
  const output = outputOf(options, context)
  const { backup, found } = await locateBackup(options.backup, context)
  const { repository } = found
  const { said, document, remarks } = options.globalsOnly
    ? await writeGlobals(repository, backup, output, options, context)
    : await writeDatabase(repository, backup, output, options, context)
  const tookMs = Math.round(performance.now() - startedMs)
  const { terminal } = context
  const path = typeof output === 'string' ? output : '-'
  if (path === '-') for (const remark of terminal.quiet ? [] : remarks) terminal.warn(printable(remark))
  const notes = remarks.map((remark) => `  ${terminal.colors.warning('note')}: ${printable(remark)}\n`).join('')
  return {
    document: { backup: backup.id, format: options.format, output: path, ...document, durationMs: tookMs },
    text:
      path === '-'
        ? ''
        : `${terminal.colors.good('exported')} ${printable(`${backup.record.database} to ${path}: ${said}`)} in ${formatDuration(tookMs)}\n${notes}`,
  }
}

interface Written {
  readonly said: string
  readonly document: Readonly<Record<string, unknown>>
  readonly remarks: readonly string[]
}

async function writeDatabase(
  repository: Repository,
  backup: Backup,
  output: string | Writable,
  options: ExportOptions,
  context: CommandContext,
): Promise<Written> {
  const settings = await context.settings()
  const outcome = await exportBackup(repository, backup, {
    choices: choicesOf(options),
    format: options.format,
    compression: compressionOf(options),
    create: options.create,
    singleTransaction: options.singleTransaction,
    jobs: options.jobs ?? settings.jobs,
    output,
    onProgress: context.onProgress,
    signal: context.signal,
  })
  const leftOut = describeSelection(backup.record.selection)
  const { tables, rows, bytes } = outcome
  return {
    said: options.schemaOnly
      ? 'definitions only'
      : `${formatQuantity(tables, 'table')}, ${formatQuantity(rows, 'row')}, ${formatBytes(bytes)}`,
    document: { ...outcome },
    remarks: [
      ...(leftOut === undefined ? [] : [`this backup does not hold everything; left out were ${leftOut}`]),
      ...outcome.notes,
      ...(outcome.roles.length === 0
        ? []
        : [`roles that must be there when it is restored: ${outcome.roles.join(', ')}`]),
    ],
  }
}

async function writeGlobals(
  repository: Repository,
  backup: Backup,
  output: string | Writable,
  options: ExportOptions,
  context: CommandContext,
): Promise<Written> {
  const compressed = compressionOf(options)
  const globals = await exportGlobals(repository, backup, { compression: compressed, output, signal: context.signal })
  return {
    said: `${formatQuantity(globals.roles, 'role')}, ${formatQuantity(globals.tablespaces, 'tablespace')}`,
    document: { ...globals },
    remarks: globals.passwords ? [] : ['the passwords of the roles could not be read when the backup was taken'],
  }
}

/** Bytes go to stdout only where somebody takes them. */
function outputOf(
  { output, format }: ExportOptions,
  { terminal, currentDirectory }: CommandContext,
): string | Writable {
  if (output !== '-') return resolve(currentDirectory, output)
  if (terminal.json || terminal.outputIsTerminal) {
    const message = terminal.json ? 'with --json an export needs a file' : 'an export is not shown on a terminal'
    throw new AppError('usage-invalid', message, {
      hint: `name a file with --output, or pipe it into ${format === 'plain' ? 'psql' : 'pg_restore'} without --json`,
    })
  }
  return terminal.takeStdout()
}

const endings: Readonly<Record<string, Compression>> = { '.gz': { method: 'gzip' }, '.zst': { method: 'zstd' } }

function compressionOf({ format, output, compress }: ExportOptions): Compression {
  if (compress) return compress
  const byFormat: Record<ExportFormat, Compression> = {
    plain: endings[/\.[a-z]+$/.exec(output)?.[0] ?? ''] ?? { method: 'none' },
    custom: { method: 'gzip' },
    directory: { method: 'gzip' },
  }
  return byFormat[format]
}

export const exportCommand = defineCommand({
  name: 'export',
  summary: "write a backup as pg_dump's files, for psql and pg_restore",
  description:
    "Writes what a backup holds in one of pg_dump's formats, without any server: a script for psql, or an archive that pg_restore 12 and later list, restore in part and restore in parallel. Roles and tablespaces belong to the server and are in none of them: --globals-only writes them as a script of their own. A file or directory gets its name when it is whole.",
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [
    { flags: '-F, --format <FORMAT>', help: 'plain (a script for psql; the default), custom or directory' },
    { flags: '-o, --output <PATH>', help: 'a file or directory that does not exist yet (default: stdout)' },
    {
      flags: '-Z, --compress <METHOD>',
      help: 'none, gzip, zstd, or gzip:LEVEL; for a plain file what its name ends in says it, archives use gzip',
    },
    ...choiceOptions,
    { flags: '--create', help: 'the script also creates the database and connects to it' },
    { flags: '--single-transaction', help: 'the script is one transaction: nothing stays of one that is cut off' },
    { flags: '--globals-only', help: 'roles and tablespaces of the server instead of the database' },
    { flags: '--jobs <N>', help: 'files of a directory that are written at the same time (default: cores, at most 4)' },
  ],
  examples: [
    { command: 'pgrevive export latest:shop -F custom -o shop.dump', meaning: 'for pg_restore' },
    {
      command: 'pgrevive export latest:shop --single-transaction | psql -X -v ON_ERROR_STOP=1 -d shop_copy',
      meaning: 'straight into psql',
    },
    { command: 'pgrevive export 01JD8Y --table public.orders -o orders.sql.zst', meaning: 'one table, compressed' },
  ],
  schema: exportOptions,
  keepsLog: true,
  readsOnly: true,
  run: writeExport,
})
