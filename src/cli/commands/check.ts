import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { checkLevel, flag } from '../option-types.ts'

const checkOptions = z.strictObject({ level: checkLevel.default('structure'), repair: flag })
export type CheckOptions = z.output<typeof checkOptions>

async function check(_options: CheckOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
}

export const checkCommand = defineCommand({
  name: 'check',
  summary: 'look for damage in the repository',
  description:
    'Looks for missing and damaged objects, says which backups and tables they touch, and what to do next. Levels, each of which includes the ones before: 0 list (is every object there, and as long as it should be), 1 structure (does every backup lead to all of its data), 2 bits (is every object what was written; needs no key), 3 content (does everything decrypt and unpack to what it was). Whether a backup can be restored is what prove answers.',
  arguments: [],
  options: [
    { flags: '--level <LEVEL>', help: '0 to 3, or list, structure, bits, content (default: structure)' },
    { flags: '--repair', help: 'save what can be saved of damaged objects, so that the next backup heals the rest' },
  ],
  examples: [
    { command: 'pgrevive check --repo ./backups', meaning: 'quick: is everything there' },
    { command: 'pgrevive check --level content', meaning: 'thorough: read and decrypt everything' },
    { command: 'pgrevive check --level bits --repair', meaning: 'after a disk failed' },
  ],
  schema: checkOptions,
  run: check,
})
