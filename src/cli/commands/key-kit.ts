import { resolve } from 'node:path'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { text } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { ownIdentities } from '../keys/known-keys.ts'
import { recoveryKit } from '../keys/recovery-kit.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'
import { writeSecretFile } from '../keys/secret-file.ts'

const keyKitOptions = z.strictObject({ to: text.optional() })

async function keyKit({ to }: z.output<typeof keyKitOptions>, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const kit = await recoveryKit(repository, repository.key.withIdentities(await ownIdentities(repository)))
  if (to === undefined) return { document: { kit }, text: kit }
  const file = resolve(context.currentDirectory, to)
  await writeSecretFile(file, kit)
  return {
    document: { kitFile: file, canRead: await repository.canRead() },
    text: `recovery kit  ${printable(file)}  (keep it away from this machine)\n`,
  }
}

export const keyKitCommand = defineCommand({
  name: 'key kit',
  summary: 'print the recovery kit again',
  description:
    'Prints the recovery kit of the key that opened the repository: all that is needed to restore elsewhere. It is as secret as the key. The kit of a key that only writes reads nothing, and says so.',
  arguments: [],
  options: [{ flags: '--to <FILE>', help: 'write it to this file, which must not exist, instead of printing it' }],
  examples: [
    { command: 'pgrevive key kit', meaning: 'on the screen, to be printed on paper' },
    { command: 'pgrevive key kit --to kit.txt', meaning: 'into a file that only this user reads' },
  ],
  schema: keyKitOptions,
  run: keyKit,
})
