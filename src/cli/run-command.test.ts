import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { AppError } from '../core/app-error.ts'
import type { Outcome } from './define-command.ts'
import { runCommand } from './run-command.ts'
import { Terminal } from './terminal/terminal.ts'

async function run(command: () => Promise<Outcome>, options: { json?: boolean; aborted?: AppError } = {}) {
  const stdout = new PassThrough({ encoding: 'utf8' })
  const stderr = new PassThrough({ encoding: 'utf8' })
  const terminal = new Terminal(
    { stdin: new PassThrough(), stdout, stderr },
    { json: options.json ?? false, quiet: false, colorRefused: true, environment: {} },
  )
  const signal = options.aborted ? AbortSignal.abort(options.aborted) : new AbortController().signal
  const exitCode = await runCommand(command, { terminal, signal })
  return { exitCode, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') }
}

const refuted: Outcome = {
  document: { rows: 12n, at: new Date(0) },
  text: '1 table differs\n',
  failure: new AppError('proof-refuted', 'shop is not what was backed up'),
}

describe('runCommand', () => {
  it('prints the text of a bad outcome, then why it is bad, and exits with its code', async () => {
    assert.deepEqual(await run(async () => refuted), {
      exitCode: 7,
      stdout: '1 table differs\n',
      stderr: 'error [proof-refuted]: shop is not what was backed up\n',
    })
  })

  it('puts the document and the error of a bad outcome into one with --json', async () => {
    const { stdout, stderr, exitCode } = await run(async () => refuted, { json: true })
    assert.deepEqual(JSON.parse(stdout), {
      rows: '12',
      at: '1970-01-01T00:00:00.000Z',
      error: { code: 'proof-refuted', message: 'shop is not what was backed up' },
    })
    assert.deepEqual([stderr, exitCode], ['', 7])
  })

  it('calls what breaks after a signal interrupted, and what succeeds in spite of it a success', async () => {
    const aborted = new AppError('interrupted', 'stopped by SIGINT')
    const broken = await run(() => Promise.reject(new Error('socket hang up')), { aborted })
    assert.deepEqual([broken.exitCode, broken.stderr], [130, 'error [interrupted]: stopped by SIGINT\n'])
    assert.equal((await run(async () => ({ document: {}, text: 'done\n' }), { aborted })).exitCode, 0)
  })

  it('exits with 1 for a bug', async () => {
    const { exitCode, stderr } = await run(() => Promise.reject(new TypeError('oops')))
    assert.equal(exitCode, 1)
    assert.match(stderr, /^bug: TypeError: oops\n/)
  })

  it('tells the error before the clean-up that failed behind it', async () => {
    const { exitCode, stderr } = await run(async () => {
      await using _folder = {
        [Symbol.asyncDispose]: () => Promise.reject(new Error('read-only file system')),
      }
      throw new AppError('output-failed', 'the file can not be written')
    })
    assert.equal(exitCode, 6)
    assert.match(stderr, /^warning: what was begun could not be cleaned up: read-only file system\n/)
    assert.match(stderr, /^error \[output-failed\]: the file can not be written\n/m)
  })
})
