import assert from 'node:assert/strict'
import { chmod, chown, readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { TestHost, assertFailed, backupDocument, until } from './test-host.ts'

describe('hooks of pgrevive.yaml', { timeout: 120_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(server.target, 'CREATE DATABASE other TEMPLATE template0')
    await loadSql(withDatabase(server.target, 'shop'), 'CREATE TABLE orders AS SELECT 1 AS id')
    host = await TestHost.create(server)
    await host.succeed('init')
  })
  after(async () => {
    await host?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  async function configure(hooks: string, databases = 'databases: { shop: { url: postgres:///shop } }'): Promise<void> {
    await writeFile(host.path('pgrevive.yaml'), `hooks:\n  ${hooks.trim().replaceAll('\n', '\n  ')}\n${databases}\n`)
  }
  const log = async () => (await readFile(host.path('log'), 'utf8').catch(() => '')).split('\n').slice(0, -1)
  const tell = (name: string) =>
    `{ run: 'echo ${name} $PGREVIVE_DATABASE \${PGREVIVE_BACKUP-none} $PGREVIVE_TARGET$PGREVIVE_ERROR_CODE >> log' }`

  it('wrap a backup, and a restore of it, but not one beside it', async () => {
    await configure(`
before_backup: [{ wait: { database: shop }, timeout: 10s }, ${tell('before')}]
after_backup: [${tell('after')}]
on_failure: [${tell('failed')}]`)
    const { id } = await host.backUp('shop')
    await configure(`
before_restore: [${tell('before restore')}]
after_restore: [${tell('after restore')}]
on_failure: [${tell('failed')}]`)
    await host.succeed('restore', id, '--to', 'restored')
    assertFailed(await host.run('restore', id, '--to', 'shop'), 'target-not-empty')
    await loadSql(server.target, 'DROP DATABASE shop')
    await host.succeed('restore', id, '--to', 'shop')
    assert.deepEqual(await log(), [
      'before shop none',
      `after shop ${id}`,
      `before restore shop ${id} shop`,
      `failed shop ${id} shoptarget-not-empty`,
      `before restore shop ${id} shop`,
      `after restore shop ${id} shop`,
    ])
  })

  it('of a restore in place are those of the database whose place it takes', async () => {
    const hooks = (name: string) => `{ before_restore: [{ run: 'echo ${name} >> taken' }] }`
    await configure(
      `before_backup: []`,
      `databases:
  shop: { url: postgres:///shop, hooks: ${hooks('shop')} }
  staging: { url: postgres:///staging, hooks: ${hooks('staging')} }`,
    )
    await loadSql(server.target, 'CREATE DATABASE staging TEMPLATE template0')
    const { id } = await host.backUp('shop')
    await host.succeed('restore', id, '--in-place', '--to', 'staging', '--confirm', 'staging')
    await host.succeed('restore', '--undo', '--to', 'staging')
    await host.succeed('restore', id, '--replace', '--to', 'staging', '--confirm', 'staging')
    await host.succeed('restore', id, '--in-place')
    await host.succeed('restore', '--finish', '--to', 'shop')
    assert.equal(await readFile(host.path('taken'), 'utf8'), 'staging\nstaging\nstaging\nshop\n')
  })

  it('keep a backup from being begun, or leave it whole', async () => {
    const count = (await host.list()).length
    await configure(`before_backup: [{ run: 'echo no; false' }]`)
    assertFailed(await host.run('backup'), 'hook-failed', {
      message: /^before_backup: .*exit code 1/,
      hint: /not begun/,
    })
    assert.equal((await host.list()).length, count)
    await host.succeed('backup', '--no-hooks')

    await configure(`after_backup: [{ run: 'echo told by the hook; false' }]`)
    const failed = await host.run('backup', '--json')
    assertFailed(failed, 'hook-failed', { message: /^the backup is done and whole, .*\n?/, hint: /the backup stays/ })
    const [made] = backupDocument.parse(JSON.parse(failed.stdout)).backups
    assert.ok((await host.list()).some(({ id }) => id === made?.id))
    const verbose = await host.run('backup', '--verbose', '--quiet')
    assert.match(verbose.stderr, /^after_backup: run \/bin\/sh -c .*\n {2}told by the hook\n/)
    assert.match(verbose.stdout, /^backed up shop/)
  })

  it('of one database stand in place of those for all, and one that fails does not stop the others', async () => {
    await configure(
      `before_backup: [{ run: 'echo for all $PGREVIVE_DATABASE >> each' }]`,
      `databases:
  shop: { url: postgres:///shop, hooks: { before_backup: [{ run: [sh, -c, 'exit 7'] }] } }
  other: { url: postgres:///other }`,
    )
    const count = (await host.list()).length
    const failed = await host.run('backup')
    assertFailed(failed, 'hook-failed', { message: /^1 of 2 .* shop: before_backup/ })
    assert.equal((await host.list()).length, count + 1)
    assert.equal(await readFile(host.path('each'), 'utf8'), 'for all other\n')
  })

  it('end with a run that is stopped', async () => {
    await configure(`
before_backup: [{ run: 'echo $$ > pid; sleep 100' }]
on_failure: [{ run: 'echo $PGREVIVE_OUTCOME > outcome' }]`)
    const running = await host.start('backup')
    await until(async () => (await readFile(host.path('pid'), 'utf8').catch(() => '')) !== '')
    running.child.kill('SIGINT')
    const ended = await running.ended
    assert.equal(ended.exitCode, 130)
    assert.equal(await readFile(host.path('outcome'), 'utf8'), 'interrupted\n')
    assert.throws(() => process.kill(-Number(running.child.pid), 0), { code: 'ESRCH' })
    const shell = Number(await readFile(host.path('pid'), 'utf8'))
    assert.throws(() => process.kill(shell, 0), { code: 'ESRCH' })
  })

  it('get neither the password nor the passphrase, unless they are named', async () => {
    await configure(`before_backup: [{ run: 'env > given' }, { run: 'env > named', env: [PGPASSWORD] }]`)
    await host.with({ PGREVIVE_PASSPHRASE_FILE: undefined, SECRET_TOKEN: 'x' }).succeed('backup')
    const given = await readFile(host.path('given'), 'utf8')
    assert.match(given, /^PGREVIVE_DATABASE=shop$/m)
    assert.doesNotMatch(given, /PGPASSWORD|SECRET_TOKEN|PGREVIVE_REPO/)
    assert.match(await readFile(host.path('named'), 'utf8'), /^PGPASSWORD=./m)
  })

  it('are refused from a file that others can change', async () => {
    await configure(`before_backup: [{ run: 'true' }]`)
    const file = host.path('pgrevive.yaml')
    for (const mode of [0o666, 0o664]) {
      await chmod(file, mode)
      assertFailed(await host.run('backup'), 'config-invalid', { message: /changed by others/, hint: /chmod go-w/ })
    }
    await chmod(file, 0o644)
    if (process.geteuid?.() === 0) {
      await chown(file, 65534, 65534)
      assertFailed(await host.run('backup'), 'config-invalid', { hint: /chown 0 / })
      await chown(file, 0, 0)
    }
    await writeFile(file, 'databases: { shop: { url: postgres:///shop } }\n')
    await chmod(file, 0o666)
    await host.succeed('backup')
    await chmod(file, 0o644)
  })

  it('are refused when they are not understood', async () => {
    await configure(`
before_backup:
  - { run: 'true', stop: [app] }
  - { in: app, wait: { tcp: 'db:5432' } }
  - { run: [sleep, 5] }
  - { wait: { tcp: db } }
  - { run: 'true', timeout: soon }
  - { rum: 'true' }
  - { run: 'true', timeout: 600h }
  - { wait: { tcp: 'localhost:99999' } }
  - { wait: { http: 'http://ann:secret@h/' } }`)
    const { stderr } = await host.run('backup')
    for (const problem of [
      /3: hooks.before_backup.0: must be one of run, stop, start and wait/,
      /4: hooks.before_backup.1: in and env belong to run/,
      /5: hooks.before_backup.2.run.1: expected string/,
      /6: hooks.before_backup.3.wait.tcp: must be host:port/,
      /7: hooks.before_backup.4.timeout: must be a time such as 30s/,
      /8: unknown key "rum" in hooks.before_backup.5; did you mean "run"/,
      /9: hooks.before_backup.6.timeout: must be from 1s to 576h/,
      /10: hooks.before_backup.7.wait.tcp: must have a port from 1 to 65535/,
      /11: hooks.before_backup.8.wait.http: must have no user and no password/,
    ]) {
      assert.match(stderr, problem)
    }
    assert.doesNotMatch(stderr, /secret/)
  })
})
