import assert from 'node:assert/strict'
import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../bin/pgrevive.js', import.meta.url))

async function run(command: string, args: readonly string[], options: SpawnOptions = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [exitCode]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'close'),
  ])
  return { stdout, stderr, exitCode: exitCode as unknown }
}

const pgrevive = (args: readonly string[], environment: Record<string, string> = {}) =>
  run(process.execPath, [program, ...args], { cwd: tmpdir(), env: { PATH: process.env['PATH'], ...environment } })

describe('pgrevive as a process', () => {
  it('prints results on stdout and exits with 0', async () => {
    const { stdout, stderr, exitCode } = await pgrevive(['errors', 'proof-refuted'])
    assert.match(stdout, /proof-refuted +7 +the restored/)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })

  it('prints its version and the help of a command', async () => {
    assert.match((await pgrevive(['--version'])).stdout, /^pgrevive \d+\.\d+\.\d+\n$/)
    const { stdout, exitCode } = await pgrevive(['restore', '--help'])
    assert.match(stdout, /Usage: pgrevive restore[^]*--role-map[^]*Examples:/)
    assert.equal(exitCode, 0)
  })

  it('prints errors on stderr and exits with the code of the table', async () => {
    const { stdout, stderr, exitCode } = await pgrevive(['errors', 'proof-refutd'])
    assert.equal(
      stderr,
      'error [usage-invalid]: there is no error code "proof-refutd"\nhint: did you mean "proof-refuted"?\n',
    )
    assert.deepEqual([stdout, exitCode], ['', 2])
  })

  it('prints one document with --json, for failures of every kind too', async () => {
    const listed = await pgrevive(['errors', '--json'])
    assert.ok(Array.isArray(JSON.parse(listed.stdout).errors))
    for (const args of [
      ['errors', 'x', '--json'],
      ['--json', 'nonsense'],
      ['list', '--json', '--limit', '-1'],
    ]) {
      const { stdout, stderr, exitCode } = await pgrevive(args)
      assert.equal(JSON.parse(stdout).error.code, 'usage-invalid')
      assert.deepEqual([stderr, exitCode], ['', 2])
    }
  })

  it('colours when it is told to, and not when it is told not to', async () => {
    const escape = '\u001b['
    assert.ok((await pgrevive(['errors'], { FORCE_COLOR: '1' })).stdout.includes(escape))
    assert.ok(!(await pgrevive(['errors'])).stdout.includes(escape))
    assert.ok(!(await pgrevive(['errors'], { FORCE_COLOR: '1', NO_COLOR: '1' })).stdout.includes(escape))
    assert.ok(!(await pgrevive(['errors', '--no-color'], { FORCE_COLOR: '1' })).stdout.includes(escape))
  })

  it('ends quietly when its reader has had enough', async () => {
    const script = '"$0" "$1" backup --help | head -n 1; echo "${PIPESTATUS[0]}"'
    const { stdout, stderr } = await run('bash', ['-c', script, process.execPath, program])
    assert.equal(stdout, 'Usage: pgrevive backup [options] [DATABASE...]\n0\n')
    assert.equal(stderr, '')
  })

  it('does not hide that its result could not be written', async () => {
    const { stderr, exitCode } = await run('bash', ['-c', '"$0" "$1" errors > /dev/full', process.execPath, program])
    assert.match(stderr, /^error \[output-failed\]: stdout can not be written\n.*ENOSPC/)
    assert.equal(exitCode, 6)
  })

  it('says in one line that Node is too old', async () => {
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); require(${JSON.stringify(program)})`
    const { stdout, stderr, exitCode } = await run(process.execPath, ['-e', pretend])
    assert.match(stderr, /^error \[node-too-old\]: [^\n]*24[^\n]*20\.1\.0[^\n]*npx -p node@24[^\n]*\n$/)
    assert.deepEqual([stdout, exitCode], ['', 2])
  })
})

describe('compiled code', () => {
  const folderOf = (home: string) => join(home, '.cache', 'pgrevive', 'compiled')

  it('is kept in a folder of the user', async () => {
    const home = await mkdtemp(join(tmpdir(), 'pgrevive-home-'))
    await using _ = { [Symbol.asyncDispose]: () => rm(home, { recursive: true }) }
    assert.equal((await pgrevive(['errors'], { HOME: home })).exitCode, 0)
    assert.ok((await readdir(folderOf(home))).length > 0)
    assert.equal((await stat(folderOf(home))).mode & 0o777, 0o700)
  })

  it('is neither taken from nor put into a folder that others can write to, and is not needed', async () => {
    const home = await mkdtemp(join(tmpdir(), 'pgrevive-home-'))
    await using _ = { [Symbol.asyncDispose]: () => rm(home, { recursive: true }) }
    await mkdir(folderOf(home), { recursive: true })
    await chmod(folderOf(home), 0o777)
    assert.equal((await pgrevive(['errors'], { HOME: home })).exitCode, 0)
    assert.deepEqual(await readdir(folderOf(home)), [])
    const { stderr, exitCode } = await pgrevive(['errors'], { HOME: '/dev/null' })
    assert.deepEqual([stderr, exitCode], ['', 0])
  })
})

describe('a signal', () => {
  // A command that undoes its work when it is told to stop; `slow` takes its time for that.
  const script = `
    import { runCommand } from ${JSON.stringify(new URL('run-command.ts', import.meta.url).href)}
    import { listenForStop } from ${JSON.stringify(new URL('stop-signals.ts', import.meta.url).href)}
    import { Terminal } from ${JSON.stringify(new URL('terminal/terminal.ts', import.meta.url).href)}
    const signal = listenForStop(process, { exit: process.exit, tell: (text) => process.stderr.write(text) })
    const terminal = new Terminal(process, { json: false, quiet: false, colorRefused: true, environment: {} })
    const slow = process.argv[1] === 'slow'
    const code = await runCommand(async () => {
      console.log('begun')
      await new Promise((resolve) => {
        const alive = setInterval(() => {}, 1000)
        signal.addEventListener('abort', () => {
          if (slow) return console.log('undoing')
          clearInterval(alive)
          resolve()
        })
      })
      console.log('undone')
      throw new Error('socket closed')
    }, { terminal, signal })
    process.exit(code)`

  async function interrupt(kind: 'quick' | 'slow', signals: readonly NodeJS.Signals[]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, kind], { stdio: 'pipe' })
    const closed = once(child, 'close')
    const errors = text(child.stderr)
    let output = ''
    for (const signal of signals) {
      output += String(await Promise.race([once(child.stdout, 'data'), closed]))
      child.kill(signal)
    }
    child.stdout.on('data', (chunk) => (output += String(chunk)))
    const [exitCode] = await closed
    return { output, stderr: await errors, exitCode: exitCode as unknown }
  }

  it('lets the work be undone and exits with 130', async () => {
    const { output, stderr, exitCode } = await interrupt('quick', ['SIGTERM'])
    assert.equal(output, 'begun\nundone\n')
    assert.match(stderr, /error \[interrupted\]: stopped by SIGTERM\nhint: nothing counts/)
    assert.equal(exitCode, 130)
  })

  it('ends everything at once when it comes twice', async () => {
    const { output, exitCode } = await interrupt('slow', ['SIGINT', 'SIGINT'])
    assert.equal(output, 'begun\nundoing\n')
    assert.equal(exitCode, 130)
  })
})

describe('pgrevive.yaml as a process sees it', () => {
  it('is not needed by a command that has no use for it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-cli-'))
    await using _ = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
    await writeFile(join(directory, 'pgrevive.yaml'), 'nonsense: true\n')
    const { exitCode } = await run(process.execPath, [program, 'errors'], { cwd: directory })
    assert.equal(exitCode, 0)
  })
})
