import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { it } from 'node:test'
import { withoutChance } from './test-guide-text.ts'
import { GuideReader, guideFile, readGuide } from './test-guide.ts'

it('the guide of the example shows its files as they are', async () => {
  const files = (await readGuide()).filter((part) => part.kind === 'file')
  assert.ok(files.length > 0)
  for (const { name, content } of files) {
    assert.equal(content, await readFile(join(dirname(guideFile), '..', name), 'utf8'), name)
  }
})

it('the guide of the example can be followed, top to bottom, and every command prints what it shows', async (t) => {
  const reader = await GuideReader.start()
  if (typeof reader === 'string') return t.skip(reader)
  await using _ = reader
  for await (const { command, output, exitCode } of reader.follow(await readGuide())) {
    const what = `line ${command.line}: $ ${command.command}`
    assert.equal(exitCode, command.exitCode, `${what}\n${output}`)
    if (command.shown !== undefined) assert.equal(withoutChance(output), withoutChance(command.shown), what)
  }
})
