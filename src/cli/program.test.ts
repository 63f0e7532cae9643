import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import type { CommandContext } from './command-context.ts'
import { commandGroups, loadCommands } from './commands.ts'
import { parseCommandLine } from './program.ts'
import { Terminal } from './terminal/terminal.ts'

const terminal = new Terminal(
  { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() },
  { json: false, quiet: false, colorRefused: true, environment: {} },
)
const parse = (...args: string[]) => parseCommandLine(args, { terminal, version: 'pgrevive 1.2.3' })
const refused = { code: 'usage-invalid' } as const

/** An example as a shell would split it: words and plain quotes. */
function splitWords(command: string): string[] {
  return Array.from(
    command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g),
    ([, double, single, word]) => double ?? single ?? word ?? '',
  )
}

describe('the command line', () => {
  it('takes every example of every help', async () => {
    const commands = await loadCommands()
    for (const { command } of commands.flatMap(({ examples }) => examples)) {
      const [name, ...args] = splitWords(command.replace(/ \|.*/, '')) // what a pipe leads to is not ours
      assert.equal(name, 'pgrevive')
      await assert.doesNotReject(parse(...args), command)
    }
  })

  it('takes global options before and after the command', async () => {
    assert.deepEqual((await parse('--repo', 'check', 'list', '--no-color', '--json')).globals, {
      repo: ['check'],
      keyFile: [],
      overlap: true,
      json: true,
      quiet: false,
      verbose: false,
      color: false,
    })
  })

  it('knows all commands in the help, wherever it is asked for', async () => {
    const help = async (...args: string[]) => {
      const { run } = await parse(...args)
      // it needs nothing of the context
      return (await run({} as CommandContext)).text
    }
    const commands = await loadCommands()
    for (const args of [['--help'], ['help'], ['--repo', 'list', '-h'], ['-h', 'list']]) {
      const text = await help(...args)
      for (const { name, summary } of commands.filter((command) => !command.name.includes(' ')))
        assert.match(text, new RegExp(`^  ${name} .*${summary.slice(0, 20)}`, 'm'))
      for (const [name, summary] of Object.entries(commandGroups))
        assert.match(text, new RegExp(`^  ${name} .*${summary.slice(0, 20)}`, 'm'))
    }
    for (const { name, summary } of commands.filter((command) => command.name.includes(' '))) {
      const [first = '', second = ''] = name.split(' ')
      assert.match(await help(first, '--help'), new RegExp(`^  ${second} .*${summary.slice(0, 20)}`, 'm'))
      assert.match(await help(first, second, '--help'), new RegExp(`^Usage: pgrevive ${name}`))
    }
    assert.match(await help('help', 'list'), /^Usage: pgrevive list/)
    assert.match(await help('--quiet', 'list', '--help'), /^Usage: pgrevive list/)
  })

  it('suggests the command or option that was meant', async () => {
    await assert.rejects(parse('bakup'), { ...refused, hint: /did you mean backup\?/ })
    await assert.rejects(parse('backup', '--jbos', '2'), { ...refused, hint: /did you mean --jobs\?/ })
  })

  it('names the option whose value is wrong, and says all problems', async () => {
    await assert.rejects(parse('backup', '--jobs', '0', '--schema-only', '--data-only'), {
      ...refused,
      message: '--jobs must be a whole number from 1 to 64; --schema-only and --data-only exclude each other',
    })
    await assert.rejects(parse('restore', 'latest'), { ...refused, message: '--to must be given' })
    await assert.rejects(parse('prove', 'latest', '--database', 'x'), refused)
    await assert.rejects(parse('check', '--level', '4'), refused)
    await assert.rejects(parse('restore', 'not/an/id', '--to', 'x'), { ...refused, message: /^BACKUP must be/ })
  })

  it('refuses a secret key in place of a recipient without repeating it', async () => {
    const secret = 'AGE-SECRET-KEY-1QQQQ'
    await assert.rejects(parse('init', '--recipient', secret), (error: Error) => !error.message.includes(secret))
  })

  it('refuses no command and too many arguments', async () => {
    await assert.rejects(parse(), { ...refused, message: 'no command is given' })
    await assert.rejects(parse('list', 'x'), refused)
  })
})
