import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { type Server, connect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { socketPath, withDatabase } from '../../postgres/target/connection-target.ts'
import { TestSftpServer } from '../../store/sftp/test-sftp-server.ts'
import { TestHost, assertFailed, proveDocument, restoreDocument, until } from './test-host.ts'

const ssh = await TestSftpServer.start()
const skip = typeof ssh === 'string' ? ssh : undefined
after(() => (typeof ssh === 'string' ? undefined : ssh[Symbol.asyncDispose]()))

describe('a database behind an SSH server', { timeout: 300_000, ...(skip !== undefined && { skip }) }, () => {
  let server: TestServer
  /** The server itself has no TCP port. */
  let front: Server
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS what FROM generate_series(1, 30000) i',
    )
    const [host] = server.target.hosts
    assert.ok(host)
    front = createServer((socket) => {
      const inner = connect(socketPath(host.host, host.port))
      for (const side of [socket, inner]) side.on('error', () => undefined)
      socket.pipe(inner).pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(front, 'listening')
  })
  after(async () => {
    front?.close()
    await server?.[Symbol.asyncDispose]()
  })

  /** `sock`: by the server's Unix socket; `port`: by a port. */
  async function prepare(more = ''): Promise<TestHost> {
    assert.ok(typeof ssh !== 'string')
    const [host] = server.target.hosts
    const address = front.address()
    assert.ok(host && address !== null && typeof address === 'object')
    const created = (await TestHost.create()).with({
      HOME: ssh.home,
      SHOP_PASSWORD: server.target.password(host),
    })
    const common = `tunnel: 'ssh://${userInfo().username}@127.0.0.1:${ssh.port}${more}', password_env: SHOP_PASSWORD`
    const user = `user=${server.target.user} dbname=shop`
    await writeFile(
      created.path('pgrevive.yaml'),
      `databases:
  sock: { url: 'host=${host.host} port=${host.port} ${user}', ${common} }
  port: { url: 'host=127.0.0.1 port=${address.port} ${user}', ${common} }
`,
    )
    await created.succeed('init')
    return created
  }

  it('is backed up, proven and restored through it, by a port and by a socket', async () => {
    await using host = await prepare()
    for (const name of ['port', 'sock']) {
      const backup = await host.backUp(name)
      assert.equal(backup.totals.rows, 30_000)
      const { proof } = await host.document(proveDocument, 'prove', backup.id, '--on', name)
      assert.equal(proof.outcome, 'proven')
      const restored = await host.document(restoreDocument, 'restore', backup.id, '--to', `shop_by_${name}`)
      assert.deepEqual([restored.database, restored.rows], [`shop_by_${name}`, 30_000])
    }
    assert.match(
      (await host.run('backup', 'port')).stderr,
      /^127.0.0.1:[0-9]+ is reached through .*@127.0.0.1:[0-9]+$/m,
    )
    await using connection = await server.connect('shop_by_sock')
    assert.deepEqual(await connection.query('SELECT count(*), count(DISTINCT what) FROM orders'), [['30000', '30000']])
  })

  it('is not reached through a server that shows another key, or whose key nobody knows, or that lets nobody in', async () => {
    assert.ok(typeof ssh !== 'string')
    const known = join(ssh.home, '.ssh', 'known_hosts')
    const other = (await readFile(join(ssh.home, '.ssh', 'id_ed25519.pub'), 'utf8')).split(' ').slice(0, 2).join(' ')
    await using wrong = await prepare(`?known_hosts=${join(ssh.home, 'wrong')}`)
    await writeFile(join(ssh.home, 'wrong'), `[127.0.0.1]:${ssh.port} ${other}\n`)
    assertFailed(await wrong.run('backup', 'port'), 'tunnel-untrusted', { message: /IS NOT THE ONE THAT IS KNOWN/ })
    await writeFile(join(ssh.home, 'wrong'), '')
    assertFailed(await wrong.run('backup', 'port'), 'tunnel-untrusted', { hint: /ssh-keyscan -p/ })
    await using keyless = await prepare(`?known_hosts=${known}&identity=${join(ssh.home, 'host_key')}`)
    assertFailed(await keyless.run('backup', 'port'), 'tunnel-denied', { hint: /PGREVIVE_SSH_PASSWORD_FILE/ })
    assert.deepEqual([await wrong.list(), await keyless.list()], [[], []])
  })

  it('whose SSH server goes in the middle leaves no record, and says what broke', async () => {
    assert.ok(typeof ssh !== 'string')
    await using host = await prepare()
    await using watcher = await server.connect('shop')
    await watcher.execute('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE')
    const { ended } = await host.start('backup', 'port')
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgrevive' AND wait_event_type = 'Lock'"
    await using other = await server.connect('shop')
    await until(async () => (await other.query(waiting)).length > 0)
    await ssh.kill()
    const failed = await ended
    await ssh.listen()
    assertFailed(failed, 'connection-lost', { message: /the SSH connection to .* broke/ })
    assert.deepEqual(await host.list(), [])
    await watcher.execute('ROLLBACK')
    // the sessions have gone with it
    const ours = `pid NOT IN (pg_backend_pid(), ${watcher.processId}) AND backend_type = 'client backend'`
    await until(async () => (await other.query(`SELECT 1 FROM pg_stat_activity WHERE ${ours}`)).length === 0)
  })
})
