import { z } from 'zod'
import { backupReference, backupReferenceHelp } from '../backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag } from '../option-types.ts'

const showOptions = z.strictObject({ backup: backupReference, tables: flag })
export type ShowOptions = z.output<typeof showOptions>

async function show(_options: ShowOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
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
  run: show,
})
