import type { AppError } from '../../core/app-error.ts'
import { type CopiedBackup, copyBackups } from '../../repository/backups/copy-backups.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { listNotes } from '../../repository/retention/backup-notes.ts'
import type { CommandContext } from '../command-context.ts'
import { errorDocument } from '../terminal/error-text.ts'
import { formatBytes, formatQuantity } from '../../core/text/format.ts'
import type { ListedRepository } from './locate-backup.ts'
import { printable } from '../../core/text/printable.ts'

/** What was copied into one repository, and what was not. */
export interface Copying {
  readonly to: string
  readonly copied: { readonly from: string; readonly backup: CopiedBackup }[]
  readonly failed: { readonly from: string; readonly id: string; readonly error: AppError }[]
}

/** Copies backups of one repository into another, the oldest first, each with its pin. */
export async function copyInto(
  copying: Copying,
  { from, to }: { readonly from: ListedRepository; readonly to: Repository },
  backups: readonly Backup[],
  context: CommandContext,
): Promise<void> {
  if (backups.length === 0) return
  const { pins } = await listNotes(from.repository, context)
  for await (const done of copyBackups({ from: from.repository, to }, backups, context)) {
    const { id, record } = done.backup
    if ('error' in done) {
      copying.failed.push({ from: from.name, id, error: done.error })
      context.terminal.warn(
        printable(`${record.database} ${id} was not copied from ${from.name}: ${done.error.message}`),
      )
      continue
    }
    const pin = pins.get(id)
    if (pin) await to.saveNote({ format: 1, backup: id, kind: 'pinned', reason: pin.reason }, context)
    copying.copied.push({ from: from.name, backup: done.copied })
  }
}

export function copyingDocument({ to, copied, failed }: Copying) {
  return {
    repository: to,
    copied: copied.map(({ from, backup }) => ({ from, id: backup.id, ...backup.record })),
    failed: failed.map(({ from, id, error }) => ({ from, id, error: errorDocument(error) })),
  }
}

export function describeCopying({ to, copied }: Copying, { terminal }: CommandContext): string {
  const { good, strong } = terminal.colors
  const stored = copied.reduce((bytes, { backup }) => bytes + backup.record.added.bytes, 0)
  return (
    copied
      .map(({ from, backup: { id, record } }) => {
        const way = printable(`${record.database} ${id} from ${from}`)
        return `  ${way}: ${formatBytes(record.totals.bytes)}, ${formatBytes(record.added.bytes)} stored\n`
      })
      .join('') +
    `${good('copied')} ${formatQuantity(copied.length, 'backup')} into ${strong(printable(to))}, ${formatBytes(stored)} stored\n`
  )
}
