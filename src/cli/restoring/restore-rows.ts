import { describeTarget } from '../../postgres/target/connection-target.ts'
import { restoreRows } from '../../restore/rows/restore-rows.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import type { Outcome } from '../define-command.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { locateBackup, withOthers } from '../repositories/locate-backup.ts'
import { formatDuration, formatQuantity, formatTable } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { findLive } from './find-target.ts'

/** Rows of some tables into new ones, beside those that are there. */
export async function restoreRowsBeside(
  reference: BackupReference,
  options: WayOptions,
  context: CommandContext,
): Promise<Outcome> {
  const startedMs = performance.now()
  const { backup, found, others } = await locateBackup(reference, context)
  const target = await findLive(options.to, backup.record.database, context)
  const restored = await restoreRows(found.repository, backup, target, {
    tables: options.table,
    into: options.as ?? { schema: options.intoSchema ?? '' },
    where: options.where,
    analyze: options.analyze,
    onProgress: context.onProgress,
    signal: context.signal,
  }).catch((error: unknown) => {
    throw withOthers(error, others)
  })
  const { colors, outputWidth } = context.terminal
  const tookMs = Math.round(performance.now() - startedMs)
  const lines = restored.tables.map(({ from, into, rows }) => [
    `  ${from.schema}.${from.name}`,
    `→ ${into.schema}.${into.name}`,
    formatQuantity(rows, 'row'),
  ])
  const columns = [{ title: '' }, { title: '' }, { title: '', align: 'right' as const }]
  const notes = restored.notes.map((note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`)
  return {
    document: { backup: backup.id, target: describeTarget(target), ...restored, durationMs: tookMs },
    text:
      `${colors.good('restored')} ${formatQuantity(lines.length, 'table')} of ${printable(backup.record.database)} into ` +
      `${colors.strong(printable(describeTarget(target)))} in ${formatDuration(tookMs)}\n` +
      `${formatTable(columns, lines, { width: outputWidth })}${notes.join('')}`,
  }
}
