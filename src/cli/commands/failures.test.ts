import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { generateX25519Identity } from 'age-encryption'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed, initDocument } from './test-host.ts'

const mount = (...args: string[]) => promisify(execFile)('mount', args)
const isRoot = process.geteuid?.() === 0
const needsRoot = isRoot ? false : 'only root can mount a small or read-only file system'

describe('a failure is one error with its code, exit code and hint, and harms no backup', { timeout: 600_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await createDatabase('shop', 'CREATE TABLE t AS SELECT i, md5(i::text) AS v FROM generate_series(1, 1000) i')
    await host.succeed('init')
    await host.backUp('postgres:///shop')
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function createDatabase(name: string, sql: string): Promise<void> {
    await loadSql(server.target, `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0`)
    await loadSql(withDatabase(server.target, name), sql)
  }
  const databases = async () => {
    await using connection = await server.connect()
    return (await connection.query('SELECT datname FROM pg_database')).map(([name]) => name)
  }

  it('a wrong password', async () => {
    const mistaken = host.with({ PGPASSWORD: 'wrong' })
    for (const args of [
      ['backup', 'postgres:///shop'],
      ['restore', 'latest', '--to', 'nowhere'],
      ['prove', '--on', 'postgres:///postgres'],
    ]) {
      assertFailed(await mistaken.run(...args, '--json'), 'authentication-failed', { hint: /PGPASSWORD/ })
    }
    assertFailed(await mistaken.run('backup', 'postgres:///shop'), 'authentication-failed', { hint: /PGPASSWORD/ })
    await host.assertClean({ backups: 1 })
  })

  it('a server that is not there, a database that is not there', async () => {
    const nowhere = host.with({ PGHOST: '127.0.0.1', PGPORT: '1' })
    assertFailed(await nowhere.run('backup', 'postgres:///shop', '--json'), 'connection-failed')
    assertFailed(await host.run('backup', 'postgres:///shopp', '--json'), 'database-missing', { message: /shopp/ })
    await host.assertClean({ backups: 1 })
  })

  it('a wrong key, another repository’s key, something that is no key, none at all', async () => {
    await writeFile(host.path('stranger.txt'), `${await generateX25519Identity()}\n`)
    await writeFile(host.path('junk.txt'), 'not a key\n')
    const other = host.with({ PGREVIVE_REPO: host.path('other') })
    const { keyFile } = await other.document(initDocument, 'init', '--kit', 'other-kit.txt')
    for (const [file, code] of [
      ['stranger.txt', 'key-wrong'],
      [keyFile, 'repository-replaced'],
      ['junk.txt', 'key-invalid'],
      ['nothing.txt', 'key-missing'],
    ] as const) {
      assertFailed(await host.run('backup', 'postgres:///shop', '--key-file', file, '--json'), code)
    }
    const keyless = host.with({ XDG_CONFIG_HOME: host.path('empty') })
    assertFailed(await keyless.run('backup', 'postgres:///shop'), 'key-missing', { hint: /--key-file/ })
    await host.assertClean({ backups: 1 })
  })

  it('an unknown command or option, a value that is none, a contradiction', async () => {
    for (const [args, message] of [
      [['bakcup'], /bakcup/],
      [['backup', '--exclude-tabel', 'x'], /--exclude-tabel/],
      [['backup', 'postgres:///shop', '--jobs', 'many'], /--jobs/],
      [['backup', 'postgres:///shop', '--schema-only', '--data-only'], /exclude each other/],
      [['restore', 'latest:', '--to', 'x'], /BACKUP/],
    ] as const) {
      assertFailed(await host.run(...args, '--json'), 'usage-invalid', { message })
    }
    assertFailed(await host.run('list', '--jsn'), 'usage-invalid', { hint: /--json/ })
    await host.assertClean({ backups: 1 })
  })

  it('an unknown backup', async () => {
    for (const args of [
      ['show', 'ZZ'],
      ['restore', 'latest:nowhere', '--to', 'nowhere'],
      ['prove', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
    ]) {
      assertFailed(await host.run(...args, '--json'), 'backup-unknown', { hint: /pgrevive list/ })
    }
    assert.ok(!(await databases()).includes('nowhere'))
    await host.assertClean({ backups: 1 })
  })

  it('a directory that is no repository, that is not there, that is a file', async () => {
    await mkdir(host.path('empty-directory'))
    for (const [directory, code] of [
      ['empty-directory', 'repository-missing'],
      ['missing', 'store-missing'],
      ['pgrevive-recovery-kit.txt', 'store-missing'],
    ] as const) {
      assertFailed(await host.run('backup', 'postgres:///shop', '--repo', directory), code)
    }
  })

  it('a role without rights on one table, which is named, and which may be left out', async () => {
    await createDatabase(
      'hospital',
      `CREATE TABLE rooms AS SELECT 1 AS i; CREATE TABLE "pa tients" AS SELECT 2 AS i;
       CREATE ROLE porter LOGIN PASSWORD 'porter'; GRANT SELECT ON rooms TO porter`,
    )
    const porter = host.with({ PGUSER: 'porter', PGPASSWORD: 'porter' })
    assertFailed(await porter.run('backup', 'postgres:///hospital', '--json'), 'permission-denied', {
      message: /pa tients/,
      hint: /GRANT|--exclude-table/,
    })
    await host.assertClean({ backups: 1 })
    const { totals } = await porter.backUp('postgres:///hospital', '--exclude-table', '"pa tients"')
    assert.equal(totals.tables, 1)
    assertFailed(await porter.run('restore', 'latest', '--to', 'ward', '--json'), 'permission-denied', { hint: /ward/ })
    await host.assertClean({ backups: 2 })
  })

  it(
    'a disk without room for the backup, which goes on where it stopped once there is',
    { skip: needsRoot },
    async () => {
      await createDatabase(
        'bulk',
        "CREATE TABLE bulk AS SELECT i, encode(sha512(i::text::bytea), 'base64') AS v FROM generate_series(1, 100000) i",
      )
      await mkdir(host.path('small'))
      await mount('-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', host.path('small'))
      await using mounted = new AsyncDisposableStack()
      mounted.defer(async () => void (await promisify(execFile)('umount', [host.path('small')])))
      const small = host.with({ PGREVIVE_REPO: host.path('small', 'backups') })
      await small.succeed('init', '--kit', 'small-kit.txt')
      await small.backUp('postgres:///shop')
      assertFailed(await small.run('backup', 'postgres:///bulk', '--json'), 'store-full', { hint: /free space/ })
      await small.assertClean({ backups: 1 })
      await mount('-o', 'remount,size=40m', host.path('small'))
      await small.backUp('postgres:///bulk')
      await small.assertClean({ backups: 2 })
      await small.succeed('restore', 'latest', '--to', 'bulk_again')
    },
  )

  it('a directory that can not be written, whose backups can be read all the same', async () => {
    await using undo = new AsyncDisposableStack()
    if (isRoot) {
      await mount('--bind', host.path('backups'), host.path('backups'))
      undo.defer(async () => void (await promisify(execFile)('umount', [host.path('backups')])))
      await mount('-o', 'remount,ro,bind', host.path('backups'))
    } else {
      const directories = await readdir(host.path('backups'), { recursive: true, withFileTypes: true })
      for (const { parentPath } of directories) {
        await chmod(parentPath, 0o500)
        undo.defer(() => chmod(parentPath, 0o700))
      }
    }
    const before = await host.list()
    const refusal = isRoot ? /new file in .*: the file system is read-only/ : /no permission for a new file in/
    assertFailed(await host.run('backup', 'postgres:///shop', '--json'), 'store-denied', { message: refusal })
    assertFailed(await host.run('prove', 'latest:shop', '--json'), 'store-denied', {
      message: /^backup \w+ came back equal, but the proof could not be stored: proofs/,
      hint: isRoot ? /can be written/ : /owns the directory/,
    })
    assertFailed(await host.run('init', '--repo', 'backups/below', '--kit', 'no-kit.txt', '--json'), 'store-denied')
    assert.ok(!(await readdir(host.directory)).includes('no-kit.txt'))
    await host.succeed('restore', 'latest:shop', '--to', 'from_read_only')
    await host.assertClean({ backups: before.length })
  })

  it('never is what a database called x\' host=evil" causes', async () => {
    const name = `x' host=evil"`
    const url = `postgres:///${encodeURIComponent(name)}`
    await createDatabase(name, 'CREATE TABLE t AS SELECT 1 AS i; CREATE INDEX ON t (i)')
    const before = await host.list()
    assert.equal((await host.with({ PGDATABASE: name }).backUp()).database, name)
    const { id } = await host.backUp(url, '--pg-dump', 'bundled')
    assert.equal((await host.list())[0]?.database, name)
    await host.succeed('prove', id, '--on', 'postgres:///postgres')
    assertFailed(await host.run('restore', `latest:${name}`, '--to', url, '--json'), 'target-not-empty')
    await host.succeed('restore', `latest:${name}`, '--to', `postgres:///${encodeURIComponent(`${name}2`)}`)
    assert.ok((await databases()).includes(`${name}2`))
    assertFailed(await host.run('restore', id, '--to', name, '--json'), 'connection-invalid')
    await host.assertClean({ backups: before.length + 2 })
  })
})
