import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { hasCode } from '../../core/app-error.ts'
import { describeTarget, resolveConnection, withDatabase, type Environment } from './connection-target.ts'

describe('a connection target', () => {
  let home = ''
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'target-'))
  })
  after(() => rm(home, { recursive: true }))

  const resolve = (conninfo?: string, environment: Environment = {}) =>
    resolveConnection(conninfo, { environment, homeDirectory: home })
  const refuses = (conninfo: string, environment: Environment = {}) =>
    assert.rejects(resolve(conninfo, environment), (error) => hasCode(error, 'connection-invalid'), conninfo)

  it('has the defaults of libpq', async () => {
    const { hosts, user, database, sslmode, channelBinding, connectTimeoutMs } = await resolve('port=1')
    const { username } = userInfo()
    assert.deepEqual(
      { hosts, user, database, sslmode, channelBinding, connectTimeoutMs },
      {
        hosts: [{ host: 'localhost', port: 1 }],
        user: username,
        database: username,
        sslmode: 'prefer',
        channelBinding: 'prefer',
        connectTimeoutMs: 30_000,
      },
    )
    assert.equal((await resolve('user=me')).database, 'me')
  })

  it('finds a Unix socket in a default directory', async () => {
    const server = createServer().listen('/tmp/.s.PGSQL.64999')
    try {
      assert.deepEqual((await resolve('port=64999')).hosts, [{ host: '/tmp', port: 64_999 }])
    } finally {
      server.close()
    }
  })

  it('takes from the environment what the string leaves out', async () => {
    const environment = {
      PGHOST: 'e',
      PGPORT: '1234',
      PGUSER: 'eu',
      PGDATABASE: "x' host=evil",
      PGPASSWORD: 'pw',
      PGAPPNAME: 'app',
      PGOPTIONS: '-c a=b',
      PGCONNECT_TIMEOUT: '7',
      PGTARGETSESSIONATTRS: 'read-write',
      PGCHANNELBINDING: 'disable',
    }
    const target = await resolve('user=me', environment)
    assert.deepEqual(target.hosts, [{ host: 'e', port: 1234 }])
    assert.equal(target.user, 'me')
    assert.equal(target.database, "x' host=evil")
    assert.equal(target.password({ host: 'e', port: 1234 }), 'pw')
    assert.equal(target.connectTimeoutMs, 7000)
    assert.deepEqual(
      [target.applicationName, target.options, target.targetSessionAttrs, target.channelBinding],
      ['app', '-c a=b', 'read-write', 'disable'],
    )
  })

  it('pairs hosts, addresses and ports', async () => {
    const hosts = async (text: string) => (await resolve(text)).hosts
    assert.deepEqual(await hosts('host=a,b port=1,2'), [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ])
    assert.deepEqual(await hosts('host=a,/run port=7'), [
      { host: 'a', port: 7 },
      { host: '/run', port: 7 },
    ])
    assert.deepEqual(await hosts('host=a hostaddr=::1'), [{ host: 'a', port: 5432, address: '::1' }])
    assert.deepEqual(await hosts('postgres://a,b:7'), [
      { host: 'a', port: 5432 },
      { host: 'b', port: 7 },
    ])
    assert.equal((await hosts('host=a,b,c load_balance_hosts=random')).length, 3)
    await refuses('host=a,b port=1,2,3')
    await refuses('host=a,b hostaddr=::1')
  })

  it('refuses wrong values and settings that contradict each other', async () => {
    for (const text of [
      'port=0',
      'port=x',
      'connect_timeout=soon',
      'sslmode=maybe',
      'gssencmode=require',
      'require_auth=md5,!none',
      'require_auth=magic',
      'sslrootcert=system sslmode=require',
      'sslnegotiation=direct',
      'target_session_attrs=fast',
    ]) {
      await refuses(text)
    }
    await refuses('', { PGREQUIREPEER: 'postgres' })
    assert.equal((await resolve('sslrootcert=system')).sslmode, 'verify-full')
    assert.deepEqual((await resolve('require_auth=!password,!md5')).requireAuth?.includes('scram-sha-256'), true)
  })

  it('reads the password file by host, port, database and user', async () => {
    const path = join(home, '.pgpass')
    await writeFile(
      path,
      [
        '# comment:*:*:*:no',
        'db\\:1:5432:my\\\\shop:me:a\\:b\\\\c',
        'h:*:one:me:first',
        'h:*:*:me:second\r',
        'localhost:*:*:*:socket',
        'broken',
      ].join('\n'),
      { mode: 0o600 },
    )
    const password = async (text: string, host: string) =>
      (await resolve(`user=me host=h ${text}`)).password({ host, port: 5432 })
    assert.equal(await password('dbname=my\\\\shop', 'db:1'), 'a:b\\c')
    assert.equal(await password('dbname=one', 'h'), 'first')
    assert.equal(await password('dbname=two', 'h'), 'second')
    assert.equal(await password('user=you', 'h'), undefined)
    assert.equal(await password('', '/var/run/postgresql'), 'socket')
    assert.equal(await password('', '/srv'), undefined)
    assert.equal(await password('password=mine', 'h'), 'mine')
    const two = withDatabase(await resolve('user=me host=h dbname=one'), 'two')
    assert.equal(two.password({ host: 'h', port: 5432 }), 'second')

    await chmod(path, 0o640)
    const open = await resolve('user=me host=h dbname=one')
    assert.equal(open.password({ host: 'h', port: 5432 }), undefined)
    assert.match(open.passwordFileIgnored ?? '', /others may read it: chmod 600/)
    await rm(path)
  })

  it('reads a service file, which counts before the environment and after the string', async () => {
    const path = join(home, '.pg_service.conf')
    await writeFile(
      path,
      '[other]\nhost=wrong\n\n# comment\n[shop]\nhost=s\nport=7\nport=8\nuser=su\n[last]\nnonsense\n',
    )
    const target = await resolve('service=shop user=me', { PGHOST: 'e', PGDATABASE: 'd' })
    assert.deepEqual([target.hosts, target.user, target.database], [[{ host: 's', port: 7 }], 'me', 'd'])
    assert.equal((await resolve(undefined, { PGSERVICE: 'shop' })).user, 'su')
    await refuses('service=nope')
    await refuses('service=last')
    await refuses('service=shop', { PGSERVICEFILE: '/nowhere' })
  })

  it('finds certificates in ~/.postgresql', async () => {
    const directory = join(home, '.postgresql')
    await mkdir(directory)
    for (const name of ['root.crt', 'postgresql.crt']) await writeFile(join(directory, name), '')
    const target = await resolve('host=h')
    assert.equal(target.sslrootcert, join(directory, 'root.crt'))
    assert.equal(target.sslcert, join(directory, 'postgresql.crt'))
    assert.equal(target.sslkey, join(directory, 'postgresql.key'))
    assert.equal((await resolve('host=h sslcertmode=disable')).sslcert, undefined)
  })

  it('is described, and printed in any way, without its secrets', async () => {
    const target = await resolve('host=h user=me password=hunter2 sslpassword=hunter3 dbname=shop')
    const other = withDatabase(target, `x' host=evil"`)
    assert.equal(describeTarget(target), 'me@h:5432/shop')
    assert.equal(describeTarget(other), `me@h:5432/"x' host=evil\\""`)
    assert.equal(describeTarget(await resolve('host=::1,b user=m dbname=d')), 'm@[::1]:5432,b:5432/d')
    for (const it of [target, other]) {
      assert.doesNotMatch(JSON.stringify(it) + inspect(it, { depth: 9, showHidden: true }), /hunter/)
      assert.ok(Object.isFrozen(it))
    }
    assert.deepEqual(other.hosts, target.hosts)
  })
})
