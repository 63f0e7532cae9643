import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { text, wholeNumber } from '../option-types.ts'

const listOptions = z.strictObject({
  database: text.optional(),
  limit: wholeNumber({ min: 1, max: 1_000_000 }).optional(),
})
export type ListOptions = z.output<typeof listOptions>

async function list(_options: ListOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
}

export const listCommand = defineCommand({
  name: 'list',
  summary: 'list the backups, and which of them are proven',
  description:
    'Lists the backups of the repository, the newest first: when, of which database, how large, what was left out, and whether it is unproven, proven (when, how long it took) or refuted (why).',
  arguments: [],
  options: [
    { flags: '--database <NAME>', help: 'only backups of the database of this name' },
    { flags: '--limit <N>', help: 'only the newest N' },
  ],
  examples: [
    { command: 'pgrevive list --repo ./backups', meaning: 'every backup' },
    {
      command: 'pgrevive list --database shop --limit 1 --json',
      meaning: 'the newest one of a database, for a script',
    },
  ],
  schema: listOptions,
  run: list,
})
