import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { z } from 'zod'
import { AppError, type ErrorCode } from '../../core/app-error.ts'
import { State } from './state.ts'

const text = z.object({ value: z.string() })
const first = 'create table thing (value text not null) strict;'
const second = 'alter table thing add column more text;'

describe('the state of the service', () => {
  let directory: string
  let file: string

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'pgrevive-state-')), 'state')
    file = join(directory, 'state.sqlite')
  })
  afterEach(() => rm(dirname(directory), { recursive: true, force: true }))

  function refuses(code: ErrorCode, options: { migrations?: readonly string[]; hint?: RegExp } = {}): void {
    assert.throws(
      () => State.open(directory, options),
      (error) => {
        assert.ok(error instanceof AppError, String(error))
        assert.equal(error.code, code)
        assert.match(error.hint ?? '', options.hint ?? /./)
        return true
      },
    )
  }

  it('is made where there is none, for its user alone', async () => {
    using state = State.open(directory)
    state.change(`insert into fact (name, value) values ('a', 'b')`)
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
    for (const name of await readdir(directory)) assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name)
    assert.ok((await readdir(directory)).includes('state.sqlite-wal'))
  })

  it('keeps what is committed, and nothing of a transaction that failed', () => {
    {
      using state = State.open(directory)
      state.transaction(() => state.change(`insert into fact values ('kept', '1')`))
      assert.throws(
        () =>
          state.transaction(() => {
            state.transaction(() => state.change(`insert into fact values ('lost', '1')`))
            throw new Error('stop')
          }),
        /stop/,
      )
    }
    using state = State.open(directory)
    assert.deepEqual(state.all(text, 'select name as value from fact'), [{ value: 'kept' }])
  })

  it('goes forward, and leaves a copy of what it was', () => {
    {
      using state = State.open(directory, { migrations: [first] })
      state.change(`insert into thing values ('old')`)
    }
    {
      using state = State.open(directory, { migrations: [first, second] })
      assert.deepEqual(state.all(text, 'select value from thing where more is null'), [{ value: 'old' }])
    }
    using before = new DatabaseSync(`${file}.before-2`)
    assert.equal(before.prepare('select * from thing').get()?.['value'], 'old')
    assert.equal(before.prepare('pragma user_version').get()?.['user_version'], 1)
  })

  it('is as it was after a step that failed', () => {
    State.open(directory, { migrations: [first] })[Symbol.dispose]()
    refuses('state-failed', { migrations: [first, second, 'no sql'] })
    using state = State.open(directory, { migrations: [first, second] })
    assert.equal(state.change(`insert into thing values ('a', 'b')`), 1)
  })

  it('refuses one of a newer pgrevive, untouched', () => {
    State.open(directory, { migrations: [first, second] })[Symbol.dispose]()
    refuses('state-newer', { migrations: [first], hint: /before-2/ })
    State.open(directory, { migrations: [first, second] })[Symbol.dispose]()
  })

  it('refuses a second service, of this process or another', async () => {
    const program = `
      import { State } from ${JSON.stringify(new URL('./state.ts', import.meta.url))}
      globalThis.held = State.open(process.argv[1])
      process.stdout.write('open')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      refuses('service-running')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    using state = State.open(directory) // a lock of a killed one is none
    refuses('service-running')
    refuses('service-running')
    assert.deepEqual(state.all(text, 'select value from fact'), [])
  })

  it('refuses a damaged one, and says what is safe', async () => {
    {
      using state = State.open(directory)
      for (let i = 0; i < 2000; i++) state.change('insert into fact values (:name, :name)', { name: `${i}`.padEnd(50) })
    }
    {
      await using handle = await open(file, 'r+')
      const { size } = await handle.stat()
      for (let at = 4096; at < size; at += 4096) await handle.write(Buffer.alloc(64, 0xa5), 0, 64, at)
    }
    refuses('state-damaged', { hint: /backups are safe/ })
    await writeFile(file, 'something else altogether '.repeat(100))
    refuses('state-damaged')
  })

  it('refuses a database of something else', async () => {
    State.open(directory)[Symbol.dispose]()
    await rm(file)
    {
      using other = new DatabaseSync(file)
      other.exec('create table theirs (id integer)')
    }
    refuses('state-damaged')
  })

  it('refuses a directory that can not be one', async () => {
    await writeFile(directory, 'a file')
    refuses('state-failed')
  })
})
