import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { readPassphrase } from './passphrase.ts'
import { Terminal } from '../terminal/terminal.ts'

function setUp(environment: Environment, options: { isTTY?: boolean } = {}) {
  const isTTY = options.isTTY ?? false
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: () => stdin })
  const stderr = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY })
  const terminal = new Terminal(
    { stdin, stdout: new PassThrough(), stderr },
    { json: false, quiet: false, colorRefused: true, environment },
  )
  const stop = new AbortController()
  const source = { environment, currentDirectory: tmpdir(), terminal, signal: stop.signal }
  return { source, stop, type: (keys: string) => stdin.write(keys), shown: () => String(stderr.read() ?? '') }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('readPassphrase', () => {
  it('takes the variable', async () => {
    const { source } = setUp({ PGREVIVE_PASSPHRASE: ' two words ' })
    assert.equal(await readPassphrase(source, { prompt: 'passphrase' }), ' two words ')
  })

  it('takes the first line of the file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-passphrase-'))
    await using _ = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
    const file = join(directory, 'passphrase')
    await writeFile(file, 'secret words\r\nrest\n')
    const { source } = setUp({ PGREVIVE_PASSPHRASE_FILE: file })
    assert.equal(await readPassphrase(source, { prompt: 'passphrase' }), 'secret words')
  })

  it('refuses an empty variable and a missing file', async () => {
    const ask = { prompt: 'passphrase' }
    await assert.rejects(readPassphrase(setUp({ PGREVIVE_PASSPHRASE: '' }).source, ask), { code: 'key-invalid' })
    const { source } = setUp({ PGREVIVE_PASSPHRASE_FILE: '/nowhere' })
    await assert.rejects(readPassphrase(source, ask), { code: 'key-missing' })
  })

  it('is undefined where nobody can be asked', async () => {
    assert.equal(await readPassphrase(setUp({}).source, { prompt: 'passphrase' }), undefined)
  })

  it('asks a person without showing the answer', async () => {
    const { source, type, shown } = setUp({}, { isTTY: true })
    const answer = readPassphrase(source, { prompt: 'passphrase', confirm: true })
    // Node's readline knows no editing where TERM is dumb
    type(process.env['TERM'] === 'dumb' ? 'hunter2\r' : 'hunterx\u007f2\r')
    type('hunter2\r')
    assert.equal(await answer, 'hunter2')
    assert.equal(shown(), 'passphrase: \nagain: \n')
  })

  it('refuses two that differ', async () => {
    const { source, type } = setUp({}, { isTTY: true })
    const answer = readPassphrase(source, { prompt: 'passphrase', confirm: true })
    type('one\r')
    await turn()
    type('two\r')
    await assert.rejects(answer, { code: 'key-invalid' })
  })

  it('stops at Ctrl-C, at the end of input and at a signal', async () => {
    for (const end of ['\u0003', '\u0004']) {
      const { source, type } = setUp({}, { isTTY: true })
      const answer = readPassphrase(source, { prompt: 'passphrase' })
      type(end)
      await assert.rejects(answer, { code: 'interrupted' })
    }
    const { source, stop } = setUp({}, { isTTY: true })
    const answer = readPassphrase(source, { prompt: 'passphrase' })
    stop.abort()
    await assert.rejects(answer, { code: 'interrupted' })
  })
})
