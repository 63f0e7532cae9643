import { z } from 'zod'
import type { Note } from '../../repository/retention/backup-notes.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { findHere } from '../repositories/locate-backup.ts'
import { printable } from '../../core/text/printable.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'

const acknowledgeOptions = z.strictObject({ backups: z.array(backupReference).min(1) })
export type AcknowledgeOptions = z.output<typeof acknowledgeOptions>

async function acknowledge(options: AcknowledgeOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const listed = await listBackups(repository, context)
  const backups = await Promise.all(options.backups.map((reference) => findHere(listed, reference, context)))
  for (const { id, record } of backups) {
    const { database, selection } = record
    const note: Note = { format: 1, backup: id, kind: 'acknowledged', database, selection }
    await repository.saveNote(note, context)
  }
  const { strong } = context.terminal.colors
  return {
    document: { backups: backups.map(({ id, record }) => ({ backup: id, database: record.database })) },
    text: backups.map(({ id, record }) => `acknowledged ${printable(record.database)} ${strong(id)}\n`).join(''),
  }
}

export const acknowledgeCommand = defineCommand({
  name: 'acknowledge',
  summary: 'say that what a backup lost is right, so that policies go on',
  description:
    'When a backup holds much less than the one before it, or lacks tables that were there, forget stops for its database: the older backups may be what is needed. Whoever has looked and found it right says so here, once for all.',
  arguments: [{ key: 'backups', name: 'BACKUP', presence: 'any number', help: backupReferenceHelp }],
  options: [],
  examples: [{ command: 'pgrevive acknowledge latest:shop', meaning: 'the rows were meant to go' }],
  schema: acknowledgeOptions,
  onEach: true,
  run: acknowledge,
})
