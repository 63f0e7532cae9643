import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { runDemo } from '../demo/run-demo.ts'
import { flag, wholeNumber } from '../option-types.ts'
import { text } from '../../config/value-types.ts'

/** About 55 MB of tables and indexes: enough to see rates, and quick. */
const defaultScale = 5

const demoOptions = z.strictObject({
  scale: wholeNumber({ min: 1, max: 1000 }).optional(),
  keep: flag,
  dir: text.optional(),
})
export type DemoOptions = z.output<typeof demoOptions>

async function demo(options: DemoOptions, context: CommandContext): Promise<Outcome> {
  return runDemo({ scale: options.scale ?? defaultScale, keep: options.keep, directory: options.dir }, context)
}

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'watch a database be lost, brought back and proven',
  description:
    'Starts a throw-away PostgreSQL, fills it, backs it up, lets a day pass, backs it up again, drops the database, restores it and proves it, and says what happens. Touches nothing of yours and leaves nothing behind.',
  arguments: [],
  options: [
    { flags: '--scale <N>', help: 'how much data: about 11 MB of tables and indexes each (default: 5)' },
    { flags: '--keep', help: 'leave the repository and its key, and say where' },
    { flags: '--dir <DIR>', help: 'work in this directory instead of a temporary one; it must be empty' },
  ],
  examples: [
    { command: 'pgrevive demo', meaning: 'under a minute' },
    { command: 'pgrevive demo --scale 20 --keep', meaning: 'with more data, and to look around afterwards' },
  ],
  schema: demoOptions,
  run: demo,
})
