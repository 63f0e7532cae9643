import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type TestServer, loadSql, runClient, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { TestSftpServer } from '../../store/sftp/test-sftp-server.ts'
import { TestHost, assertFailed, initDocument, proveDocument, restoreDocument } from './test-host.ts'

const sftp = await TestSftpServer.start()
const skip = typeof sftp === 'string' ? sftp : undefined
after(() => (typeof sftp === 'string' ? undefined : sftp[Symbol.asyncDispose]()))

describe('a repository on SFTP', { timeout: 300_000, ...(skip !== undefined && { skip }) }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS what FROM generate_series(1, 100000) i',
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  it('is created, filled, checked, proven, restored and compared, and takes dumps from there', async () => {
    assert.ok(typeof sftp !== 'string')
    await using created = await TestHost.create(server)
    const host = created.with({ HOME: sftp.home, PGREVIVE_REPO: sftp.url('shop') })
    const { location, kitFile } = await host.document(initDocument, 'init')
    assert.equal(location, sftp.url('shop'))
    const first = await host.backUp('postgres:///shop')
    await loadSql(withDatabase(server.target, 'shop'), "UPDATE orders SET what = 'sold' WHERE id = 4711")
    const second = await host.backUp('postgres:///shop')
    assert.ok(second.added.bytes < first.added.bytes / 2)
    await host.assertClean({ backups: 2 })
    assert.equal((await host.document(proveDocument, 'prove', 'latest')).proof.outcome, 'proven')
    const restored = await host.document(restoreDocument, 'restore', first.id, '--to', 'postgres:///shop_again')
    assert.deepEqual([restored.database, restored.rows], ['shop_again', 100000])
    assert.match(await host.succeed('diff', first.id, 'postgres:///shop_again'), /^equal: 1 table, 100,000 rows/m)

    assertFailed(await host.run('init', '--kit', 'other-kit.txt', '--json'), 'repository-exists')
    await mkdir(join(sftp.directory, 'dumps'))
    const dump = join(sftp.directory, 'dumps', 'shop_20250101_020000.dump')
    await runClient(withDatabase(server.target, 'shop'), 'pg_dump', ['-Fc', '-f', dump])
    assert.match(await host.succeed('import', sftp.url('dumps')), /^imported sftp:.*shop_20250101_020000.dump/m)
    // the same files, as the server itself sees them
    const local = host.with({ PGREVIVE_REPO: join(sftp.directory, 'shop') })
    assert.match(await local.succeed('list', '--key-file', kitFile), new RegExp(second.id))
  })

  it('tells what is wrong with its place, its host or its login, and keeps no key of what was not created', async () => {
    assert.ok(typeof sftp !== 'string')
    await using created = await TestHost.create(server)
    const host = created.with({ HOME: sftp.home, PGREVIVE_REPO: sftp.url('other') })
    assertFailed(await host.run('list', '--json'), 'store-missing', { hint: /pgrevive init/ })
    const stranger = created.with({ PGREVIVE_REPO: sftp.url('other') })
    assertFailed(await stranger.run('init'), 'store-untrusted', { hint: /ssh-keyscan -p/ })
    const knownHosts = join(sftp.home, '.ssh', 'known_hosts')
    const keyless = stranger.with({ PGREVIVE_REPO: sftp.url('other', `?known_hosts=${knownHosts}`) })
    assertFailed(await keyless.run('init'), 'store-denied', { message: /no key or password/, hint: /authorized_keys/ })
    const inUrl = host.with({ PGREVIVE_REPO: sftp.url('other').replace('@', ':hushhush@') })
    const refused = await inUrl.run('init', '--json')
    assertFailed(refused, 'usage-invalid', { hint: /PGREVIVE_SFTP_PASSWORD/ })
    assert.doesNotMatch(refused.stdout, /hushhush/)
    const known = await readFile(knownHosts, 'utf8')
    await writeFile(knownHosts, known.replace(/AAAA\S+/, `AAAAC3NzaC1lZDI1NTE5AAAAI${'JUNK'.repeat(10)}JUN`))
    assertFailed(await host.run('init', '--json'), 'store-untrusted', { message: /IS NOT THE ONE/ })
    await writeFile(knownHosts, known)
    assert.deepEqual([...(await created.everyFile()).keys()], [])
    await rm(join(sftp.directory, 'other'), { recursive: true, force: true })
  })
})
