import { z } from 'zod'
import { type Note, listNotes } from '../../repository/retention/backup-notes.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { findHere } from '../repositories/locate-backup.ts'
import { text } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'

const pinOptions = z.strictObject({ backup: backupReference, reason: text })
export type PinOptions = z.output<typeof pinOptions>

async function pin({ backup: reference, reason }: PinOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const backup = await findHere(await listBackups(repository, context), reference, context)
  const note: Note = { format: 1, backup: backup.id, kind: 'pinned', reason }
  await repository.saveNote(note, context)
  const { strong } = context.terminal.colors
  return {
    document: { backup: backup.id, database: backup.record.database, reason },
    text: `pinned ${printable(backup.record.database)} ${strong(backup.id)}: ${printable(reason)}\n`,
  }
}

export const pinCommand = defineCommand({
  name: 'pin',
  summary: 'keep a backup, whatever the policy says',
  description:
    'Says in the repository that a backup is to stay, and why. No policy forgets it, and nobody by name, until it is unpinned. A pin of a pinned one replaces the reason.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [{ flags: '--reason <TEXT>', help: 'why; list and show tell it' }],
  examples: [
    {
      command: "pgrevive pin latest:shop --reason 'before the migration to version 5'",
      meaning: 'the newest one of a database',
    },
  ],
  schema: pinOptions,
  onEach: true,
  run: pin,
})

const unpinOptions = z.strictObject({ backup: backupReference })
export type UnpinOptions = z.output<typeof unpinOptions>

async function unpin({ backup: reference }: UnpinOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const backup = await findHere(await listBackups(repository, context), reference, context)
  const { pins } = await listNotes(repository, context)
  const wasPinned = pins.has(backup.id)
  const note: Note = { format: 1, backup: backup.id, kind: 'unpinned' }
  if (wasPinned) await repository.saveNote(note, context)
  const { strong } = context.terminal.colors
  return {
    document: { backup: backup.id, database: backup.record.database, wasPinned },
    text: `${wasPinned ? 'unpinned' : 'not pinned:'} ${printable(backup.record.database)} ${strong(backup.id)}\n`,
  }
}

export const unpinCommand = defineCommand({
  name: 'unpin',
  summary: 'take back a pin',
  description: 'From now on policies decide on the backup again.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [],
  examples: [{ command: 'pgrevive unpin 01JD8Y', meaning: 'by the beginning of its id' }],
  schema: unpinOptions,
  onEach: true,
  run: unpin,
})
