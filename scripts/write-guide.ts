/** Follows examples/travelscout/docs/guide.md and writes into it what each command printed: npm run guide */
import { writeFile } from 'node:fs/promises'
import { renderGuide, withoutChance } from '../src/cli/guide/test-guide-text.ts'
import { GuideReader, guideFile, readGuide } from '../src/cli/guide/test-guide.ts'

const parts = await readGuide()
const reader = await GuideReader.start()
if (typeof reader === 'string') throw new Error(reader)
await using _ = reader
const printed = new Map<unknown, string>()
let failures = 0
for await (const { command, output, exitCode } of reader.follow(parts)) {
  const isSame = command.shown === undefined || withoutChance(command.shown) === withoutChance(output)
  console.log(
    `${exitCode === command.exitCode ? (isSame ? 'same' : 'new ') : `EXIT ${exitCode}`}  $ ${command.command}`,
  )
  if (exitCode !== command.exitCode) {
    failures++
    console.log(output)
  }
  if (command.shown !== undefined && !isSame) printed.set(command, output)
}
const written = parts.map((part) =>
  part.kind === 'commands'
    ? {
        ...part,
        commands: part.commands.map((command) => ({ ...command, shown: printed.get(command) ?? command.shown })),
      }
    : part,
)
await writeFile(guideFile, renderGuide(written))
process.exitCode = failures === 0 ? 0 : 1
