import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { commands } from './commands.ts'
import { parseCommandLine } from './program.ts'
import { Terminal } from './terminal.ts'

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
  it('takes every example of every help', () => {
    for (const { command } of commands.flatMap(({ examples }) => examples)) {
      const [name, ...args] = splitWords(command)
      assert.equal(name, 'pgrevive')
      assert.doesNotThrow(() => parse(...args), command)
    }
  })

  it('takes global options before and after the command', () => {
    assert.deepEqual(parse('--repo', 'a', 'list', '--no-color', '--json').globals, {
      repo: 'a',
      json: true,
      quiet: false,
      color: false,
    })
  })

  it('suggests the command or option that was meant', () => {
    assert.throws(() => parse('bakup'), { ...refused, hint: /did you mean backup\?/ })
    assert.throws(() => parse('backup', '--jbos', '2'), { ...refused, hint: /did you mean --jobs\?/ })
  })

  it('names the option whose value is wrong, and says all problems', () => {
    assert.throws(() => parse('backup', '--jobs', '0', '--schema-only', '--data-only'), {
      ...refused,
      message: '--jobs must be a whole number from 1 to 64; --schema-only and --data-only exclude each other',
    })
    assert.throws(() => parse('restore', 'latest'), { ...refused, message: '--to must be given' })
    assert.throws(() => parse('prove', 'latest', '--database', 'x'), refused)
    assert.throws(() => parse('check', '--level', '4'), refused)
    assert.throws(() => parse('restore', 'not/an/id', '--to', 'x'), { ...refused, message: /^BACKUP must be/ })
  })

  it('refuses a secret key in place of a recipient without repeating it', () => {
    const secret = 'AGE-SECRET-KEY-1QQQQ'
    assert.throws(
      () => parse('init', '--recipient', secret),
      (error: Error) => !error.message.includes(secret),
    )
  })

  it('refuses no command and too many arguments', () => {
    assert.throws(() => parse(), { ...refused, message: 'no command is given' })
    assert.throws(() => parse('list', 'x'), refused)
  })
})
