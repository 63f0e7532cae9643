import type { BackupRecord } from '../../repository/backups/backup-record.ts'
import { warningsOf } from '../../repository/backups/manifest.ts'
import { listNotes } from '../../repository/retention/backup-notes.ts'
import { listProofs, readManifest } from '../../repository/backups/open-backup.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { describeProof, proofStyle } from '../repositories/describe-backup.ts'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatQuantity,
  formatTable,
  formatTime,
} from '../../core/text/format.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { z } from 'zod'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag } from '../option-types.ts'

const showOptions = z.strictObject({ backup: backupReference, tables: flag })
export type ShowOptions = z.output<typeof showOptions>

async function show(options: ShowOptions, context: CommandContext): Promise<Outcome> {
  const { backup, found } = await locateBackup(options.backup, context)
  const { repository } = found
  const manifest = await readManifest(await repository.openReader(context), backup, context)
  const proof = (await listProofs(repository, context)).get(backup.id)
  const pin = (await listNotes(repository, context)).pins.get(backup.id)
  const { record } = backup
  const { colors } = context.terminal
  const { database, server } = manifest
  const tookMs = Date.parse(record.finishedAt) - Date.parse(record.startedAt)
  const facts: [string, string][] = [
    ['database', `${record.database} (${record.source})`],
    [
      'snapshot',
      `${formatTime(new Date(record.snapshot.at))} at LSN ${record.snapshot.lsn}${server.standby ? ', on a standby' : ''}`,
    ],
    ['server', `PostgreSQL ${server.version}`],
    [
      'properties',
      `${database.encoding}, ${database.localeProvider} ${database.locale ?? database.collate}, owner ${database.owner}`,
    ],
    [
      'contents',
      `${formatQuantity(record.totals.tables, 'table')}, ${formatQuantity(record.totals.rows, 'row')}, ${formatQuantity(record.totals.sequences, 'sequence')}, ${formatQuantity(record.totals.largeObjects, 'large object')}, ${formatBytes(record.totals.bytes)}`,
    ],
    [
      'stored',
      `${formatBytes(record.added.bytes)} in ${formatQuantity(record.added.chunks, 'new chunk')} of ${formatCount(record.added.ofChunks)}`,
    ],
    ['left out', describeSelection(record.selection) ?? 'nothing'],
    ['extensions', manifest.extensions.map(({ name, version }) => `${name} ${version}`).join(', ') || 'none'],
    ...warningsOf(manifest).map((warning): [string, string] => ['warning', warning]),
    ['roles', `${manifest.roles.join(', ') || 'none'} (${manifest.rolePasswords ? 'with' : 'without'} passwords)`],
    record.imported
      ? ['imported', describeImport(record.imported)]
      : ['taken', `${formatTime(new Date(record.startedAt))} in ${formatDuration(tookMs)}`],
    ...(record.imported?.notes ?? []).map((note): [string, string] => ['note', note]),
    ['made by', `${record.tool}, schema by ${manifest.pgDump.kind} pg_dump ${manifest.pgDump.version}`],
    ...(record.comment === undefined ? [] : [['comment', record.comment] as [string, string]]),
    ...(pin === undefined ? [] : [['pinned', `${formatTime(pin.pinnedAt)}: ${pin.reason}`] as [string, string]]),
  ]
  const lines = facts.map(([name, value]) => `${colors.faint(name.padEnd(12))}${printable(value)}\n`)
  const proofLines = [
    `${colors.faint('proof'.padEnd(12))}${proofStyle(proof, colors)(printable(describeProof(proof, new Date())))}\n`,
    ...(proof ? [`${' '.repeat(12)}on ${printable(proof.on)}\n`] : []),
    ...(proof?.differences ?? []).map(
      ({ object, problem }) => `${' '.repeat(12)}${printableLines(`${object} ${problem}`, 14)}\n`,
    ),
    ...(proof?.notes ?? []).map((note) => `${' '.repeat(12)}${printableLines(note, 14)}\n`),
  ]
  const tables = formatTable(
    [{ title: 'table' }, { title: 'rows', align: 'right' }, { title: 'size', align: 'right' }, { title: 'hash' }],
    [
      ...manifest.tables.map(({ schema, name, rows, bytes, hash }) => [
        `${schema}.${name}`,
        formatCount(rows),
        formatBytes(bytes),
        hash,
      ]),
      ...manifest.tablesWithoutData.map(({ schema, name }) => [`${schema}.${name}`, 'left out', '', '']),
    ],
    { heading: colors.faint, width: context.terminal.outputWidth },
  )
  return {
    document: {
      id: backup.id,
      ...record,
      manifest: options.tables ? manifest : { ...manifest, tables: undefined },
      proof: proof ?? null,
      pin: pin ?? null,
    },
    text: `${colors.strong(backup.id)}\n${lines.join('')}${proofLines.join('')}${options.tables ? `\n${tables}` : ''}`,
  }
}

function describeImport(imported: NonNullable<BackupRecord['imported']>): string {
  const { at, bytes, sha256, format, wrappings, timeFrom, serverVersion, dumpVersion } = imported
  const origin = `of PostgreSQL ${serverVersion || 'unknown'} by pg_dump ${dumpVersion || 'unknown'}`
  const shape = [...wrappings, format].join(', ')
  return `${formatTime(new Date(at))}: a dump ${origin}; ${shape}, ${formatBytes(bytes)}, SHA-256 ${sha256}; its time is that of the ${timeFrom}`
}

export const showCommand = defineCommand({
  name: 'show',
  summary: 'show what a backup holds',
  description:
    'Shows one backup: the server and its settings, the moment of the snapshot, what was selected and left out, sizes, extensions, and its proofs; with --tables also every table with its rows and bytes.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [{ flags: '--tables', help: 'every table with its rows and bytes' }],
  examples: [
    { command: 'pgrevive show latest', meaning: 'the newest backup' },
    { command: 'pgrevive show latest:shop --tables', meaning: 'the tables of the newest backup of a database' },
    { command: 'pgrevive show 01JD8Y --json', meaning: 'by the beginning of its id, for a script' },
  ],
  schema: showOptions,
  readsOnly: true,
  run: show,
})
