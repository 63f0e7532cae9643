import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { chunkSize, flag, recipient, text } from '../option-types.ts'

const initOptions = z.strictObject({
  recipient: z.array(recipient).default([]),
  passphrase: flag,
  /** Where the recovery kit is written, besides being printed. */
  kit: text.optional(),
  /** Bytes; undefined leaves it to the repository's format. */
  chunkSize: chunkSize.optional(),
})
export type InitOptions = z.output<typeof initOptions>

async function init(_options: InitOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
}

export const initCommand = defineCommand({
  name: 'init',
  summary: 'create a repository and its recovery kit',
  description:
    'Creates an encrypted repository and prints its recovery kit. Without the kit (or another key that opens the ' +
    'repository) the backups can not be read, by nobody: keep it apart from the repository. Unless --recipient or ' +
    '--passphrase says otherwise, a new age key is made and written to the key file.',
  arguments: [],
  options: [
    {
      flags: '--recipient <AGE1…>',
      help: 'an age public key that shall open the repository; may be repeated',
      repeatable: true,
    },
    { flags: '--passphrase', help: 'a passphrase shall open it: from PGREVIVE_PASSPHRASE, a file, or asked for' },
    { flags: '--kit <FILE>', help: 'write the recovery kit to this file too; it must not exist' },
    { flags: '--chunk-size <SIZE>', help: 'average size of a deduplicated piece (default: 64KiB)' },
  ],
  examples: [
    { command: 'pgrevive init --repo ./backups --kit kit.txt', meaning: 'a repository, a new key, the kit in a file' },
    { command: 'pgrevive init --repo ./backups --passphrase', meaning: 'opened by a passphrase instead' },
    {
      command:
        'pgrevive init --repo ./backups --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
      meaning: 'this host writes backups, and only the holder of the other half reads them',
    },
  ],
  schema: initOptions,
  run: init,
})
