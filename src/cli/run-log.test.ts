import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type TestServer, loadSql, startTestServer } from '../postgres/server/test-server.ts'
import { withDatabase } from '../postgres/target/connection-target.ts'
import { TestHost, assertFailed } from './commands/test-host.ts'
import { shownWords } from './run-log.ts'

describe('the log of a run', { timeout: 60_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(withDatabase(server.target, 'shop'), 'CREATE TABLE orders AS SELECT 1 AS id')
    host = await TestHost.create(server)
    await host.succeed('init')
  })
  after(async () => {
    await host?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const configure = (more: string) =>
    writeFile(host.path('pgrevive.yaml'), `${more}\ndatabases: { shop: { url: postgres:///shop } }\n`)
  const usual = () => host.path('home', '.local', 'state', 'pgrevive', 'runs')

  it('says what was asked for, what was done, and how it ended, and nobody else can read it', async () => {
    await configure(`hooks: { before_backup: [{ run: 'echo from the hook' }], after_backup: [{ run: 'exit 3' }] }`)
    await host.run('backup', 'shop', '--json')
    await host.succeed('list')
    const [name = '', ...others] = await readdir(usual())
    assert.deepEqual([others, (await stat(join(usual(), name))).mode & 0o777], [[], 0o600])
    const lines = (await readFile(join(usual(), name), 'utf8')).split(/^\d{4}-\d\d-\d\dT[\d:.]+Z /m)
    assert.equal(lines[1], `pgrevive 0.1.0: backup shop --json\n`)
    for (const line of [
      'data\n',
      'before_backup: run /bin/sh -c echo from the hook\n',
      '  from the hook\n',
      'exit code 13\n',
    ]) {
      assert.ok(lines.includes(line), lines.join('|'))
    }
    assert.match(lines.join(''), /^backed up shop as /m)
    assert.match(lines.join(''), /^error \[hook-failed\]: the backup is done and whole/m)
  })

  it('may lie elsewhere, be given up, or fail, and never stops a run', async () => {
    await configure('log: logs')
    await mkdir(host.path('logs'))
    for (let count = 100; count < 310; count++)
      await writeFile(host.path('logs', `00000000000000000000000${count}.log`), '')
    await writeFile(host.path('logs', 'mine.log'), '')
    await host.succeed('backup')
    const logs = await readdir(host.path('logs'))
    assert.deepEqual(
      [logs.length, logs.includes('mine.log'), logs.includes('00000000000000000000000309.log')],
      [201, true, true],
    )
    assert.ok(!logs.includes('00000000000000000000000110.log'))

    await configure('log: none')
    const before = (await readdir(usual())).length
    await host.succeed('backup')
    assert.equal((await readdir(usual())).length, before)

    await configure('log: pgrevive.yaml/logs')
    const { exitCode, stderr } = await host.run('backup', '--quiet')
    assert.deepEqual([exitCode, /^warning: .*pgrevive.yaml\/logs can not be written: ENOTDIR/m.test(stderr)], [0, true])
    await configure('')
    assertFailed(
      await host.with({ XDG_STATE_HOME: '/dev/null' }).run('restore', 'latest', '--to', 'shop', '--json'),
      'target-not-empty',
    )
  })

  it('shows no password, not even a mistyped one', () => {
    assert.equal(
      shownWords([
        'backup',
        'postgres://u:pw@h/d',
        'host=h password=pw',
        'postgres:/u:pw@h/d',
        '--to=postgres://u:pw@h',
        "it's",
        '--level=bits',
        '--to=shop',
        '--comment=me@example.com',
      ]),
      `backup 'user=u password=******** dbname=d host=h' 'host=h password=********' '********' '--to=user=u password=******** host=h' 'it'\\''s' --level=bits --to=shop '--comment=********'`,
    )
  })
})
