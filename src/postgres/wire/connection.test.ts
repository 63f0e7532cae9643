import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { resolveConnection } from '../target/connection-target.ts'
import { Connection } from './connection.ts'
import { PostgresError } from './postgres-error.ts'
import { quoteIdentifier } from '../sql/quote.ts'
import { startTestServer, type TestServer } from '../server/test-server.ts'
import { encodeCString, encodeMessage } from './messages.ts'

describe('a connection', () => {
  let server: TestServer
  let connection: Connection
  before(async () => {
    server = await startTestServer({ settings: { max_connections: '12', superuser_reserved_connections: '3' } })
    connection = await server.connect()
  })
  after(async () => {
    const left = await connection.query(
      "SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
    await connection[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    assert.deepEqual(left, [], 'no session is left over')
  })

  it('returns the rows of the last statement that has any, as text', async () => {
    assert.deepEqual(await connection.query("SELECT 1; SELECT 2, NULL, '', 'ä€😀'; SET work_mem = '5MB'"), [
      ['2', null, '', 'ä€😀'],
    ])
    assert.deepEqual(await connection.query(''), [])
    const wide = await connection.query("SELECT repeat('ä', 700000), i FROM generate_series(1, 3) i")
    assert.deepEqual(
      wide.map(([text, i]) => [text?.length, i]),
      [
        [700_000, '1'],
        [700_000, '2'],
        [700_000, '3'],
      ],
    )
  })

  it('knows the server and its own session', async () => {
    assert.deepEqual(await connection.query('SELECT pg_backend_pid(), current_setting($$server_version_num$$)'), [
      [String(connection.processId), String(connection.serverVersionNumber)],
    ])
    assert.equal(connection.host, connection.target.hosts[0])
    await connection.execute("SET application_name = 'changed'")
    assert.equal(connection.parameters.get('application_name'), 'changed')
    const states = [connection.transaction]
    await connection.execute('BEGIN')
    states.push(connection.transaction)
    await assert.rejects(connection.execute('SELECT 1 / 0'))
    states.push(connection.transaction)
    await connection.execute('ROLLBACK')
    assert.deepEqual([...states, connection.transaction], ['idle', 'open', 'failed', 'idle'])
  })

  it("reports PostgreSQL's errors with their fields, and stays usable", async () => {
    await connection.execute('CREATE TABLE t (i int PRIMARY KEY); CREATE ROLE nobody_much')
    await assert.rejects(connection.execute('INSERT INTO t VALUES (1), (1)'), (error) => {
      assert.ok(hasCode(error, 'query-failed') && error.cause instanceof PostgresError)
      const { sqlState, severity, detail, table, constraint } = error.cause
      assert.deepEqual(
        [sqlState, severity, detail, table, constraint],
        ['23505', 'ERROR', 'Key (i)=(1) already exists.', 't', 't_pkey'],
      )
      return true
    })
    await connection.execute('SET ROLE nobody_much')
    await assert.rejects(connection.query('SELECT * FROM t'), (error) => hasCode(error, 'permission-denied'))
    await connection.execute('RESET ROLE')
  })

  it('is for one command at a time', async () => {
    const first = connection.query('SELECT pg_sleep(0.05)')
    await assert.rejects(connection.query('SELECT 1'), /busy/)
    await first
    assert.deepEqual(await connection.query('SELECT 1'), [['1']])
    await assert.rejects(connection.query('SELECT \0'), RangeError)
    assert.deepEqual(await connection.query('SELECT 2'), [['2']])
  })

  it('passes bytes as they are with latin1', async () => {
    const target = await server.createDatabase({ encoding: 'SQL_ASCII' })
    await using ascii = await Connection.connect(target, { parameters: { client_encoding: 'SQL_ASCII' } })
    ascii.encoding = 'latin1'
    await ascii.execute("CREATE TABLE t AS SELECT 'é\u0080ÿ' AS s")
    assert.deepEqual(await ascii.query("SELECT s, s::bytea, s = 'é\u0080ÿ' FROM t"), [['é\u0080ÿ', '\\xe980ff', 't']])
    await assert.rejects(ascii.query("SELECT '€'"), RangeError)
  })

  it('sends settings with the startup, of which the last word is the caller’s', async () => {
    const target = { ...server.target, options: '-c work_mem=7MB' }
    await using tuned = await Connection.connect(target, {
      applicationName: 'tester',
      parameters: { statement_timeout: '5s' },
    })
    const settings = ['work_mem', 'statement_timeout', 'application_name', 'client_encoding']
    assert.deepEqual(await tuned.query(`SELECT ${settings.map((name) => `current_setting('${name}')`).join(', ')}`), [
      ['7MB', '5s', 'tester', 'UTF8'],
    ])
    await assert.rejects(Connection.connect({ ...server.target, options: '-c nonsense=1' }), (error) =>
      hasCode(error, 'connection-failed'),
    )
  })

  it('never parses the name of a database', async () => {
    const name = `x' host=evil" postgres://evil/\\`
    await assert.rejects(server.connect(name), (error) => hasCode(error, 'database-missing'))
    await connection.execute(`CREATE DATABASE ${quoteIdentifier(name)}`)
    await using odd = await server.connect(name)
    assert.deepEqual(await odd.query('SELECT current_database()'), [[name]])
  })

  it('cancels on an abort, and is of no more use', async () => {
    const aborted = await server.connect()
    const abort = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => abort.abort(reason), 50)
    await assert.rejects(aborted.query('SELECT pg_sleep(60)', abort), (error) => error === reason)
    await assert.rejects(aborted.query('SELECT 1'), (error) => error === reason)
    await assert.rejects(connection.query('SELECT 1', abort), (error) => error === reason)
    assert.deepEqual(await connection.query("SELECT query FROM pg_stat_activity WHERE query LIKE '%sleep(60)'"), [])
  })

  it('cancels its command without ending on request', async () => {
    await using patient = await server.connect()
    const sleeping = patient.query('SELECT pg_sleep(60)')
    setTimeout(() => void patient.cancel(), 50)
    await assert.rejects(sleeping, (error) => hasCode(error, 'query-failed'))
    assert.deepEqual(await patient.query('SELECT 1'), [['1']])
  })

  it('tells that the server ended it, at work or idle', async () => {
    const [working, idle] = [await server.connect(), await server.connect()]
    const sleeping = assert.rejects(working.query('SELECT pg_sleep(60)'), (error) => hasCode(error, 'connection-lost'))
    await connection.query(
      `SELECT pg_terminate_backend(p) FROM unnest(ARRAY[${working.processId}, ${idle.processId}]) p`,
    )
    await sleeping
    await assert.rejects(
      idle.query('SELECT 1'),
      (error) =>
        hasCode(error, 'connection-lost') && error.cause instanceof PostgresError && error.cause.sqlState === '57P01',
    )
    await working[Symbol.asyncDispose]()
    await idle[Symbol.asyncDispose]()
  })

  it('tells that the server is full', async () => {
    await connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    const guest = { ...server.target, user: 'guest', password: () => 'guest' }
    await using guests = new AsyncDisposableStack()
    await assert.rejects(
      async () => {
        for (;;) guests.use(await Connection.connect(guest))
      },
      (error) =>
        hasCode(error, 'connection-failed') && error.cause instanceof PostgresError && error.cause.sqlState === '53300',
    )
  })

  it("passes another client's query and its answer on, errors too", async () => {
    await using connection = await server.connect()
    await connection.execute("SET application_name = 'x'")
    assert.match(
      connection.greeting.toString('latin1').replaceAll('\0', '_'),
      /^S.*application_name_x_.*server_version_15.*Z___.I$/s,
    )
    const ask = async (sql: string) => {
      const answer = await Array.fromAsync(connection.relay(encodeMessage('Q', encodeCString(sql))))
      return Buffer.concat(answer).toString('latin1')
    }
    assert.match(await ask('SELECT 42'), /^T.*D.*42C.*SELECT 1\0Z.*I$/s)
    assert.match(await ask('SELECT wrong'), /^E.*42703.*Z.*I$/s)
    assert.deepEqual(await connection.query('SELECT 1'), [['1']])
    await assert.rejects(ask('SELECT pg_terminate_backend(pg_backend_pid())'), { code: 'connection-lost' })
  })

  it('goes on to the next host, and to one of the kind that is wanted', async () => {
    const [socket] = server.target.hosts
    const password = server.target.password({ host: '', port: 1 })
    const resolve = (text: string) =>
      resolveConnection(`user=postgres password=${password} ${text}`, { environment: {} })
    const hosts = `host=127.0.0.1,/nowhere,${socket?.host} port=1,2,${socket?.port}`
    await using found = await Connection.connect(await resolve(`${hosts} target_session_attrs=read-write`))
    assert.equal(found.host.host, socket?.host)
    await using fallen = await Connection.connect(await resolve(`${hosts} target_session_attrs=prefer-standby`))
    assert.equal(fallen.host.host, socket?.host)
    await assert.rejects(
      Connection.connect(await resolve(`${hosts} target_session_attrs=standby`)),
      (error) =>
        hasCode(error, 'connection-failed') &&
        /127.0.0.1:1 was refused; .*nowhere:2 failed.*; .* is primary and read-write, not standby/.test(error.message),
    )
  })

  it('gives up on a server that is not there, that is silent, or that is none', async () => {
    const fails = async (text: string, pattern: RegExp, options: { signal?: AbortSignal } = {}) =>
      assert.rejects(
        Connection.connect(await resolveConnection(text, { environment: {} }), options),
        (error) => hasCode(error, 'connection-failed') && pattern.test(error.message) && error.hint !== undefined,
        text,
      )
    await fails('host=127.0.0.1 port=1', /refused/)
    await fails('host=nowhere.invalid', /no such host|resolved/)
    await fails('host=/nowhere', /no such socket/)

    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo // as: it listens on a port
    await fails(`host=127.0.0.1 port=${port} connect_timeout=1`, /did not answer within 1 s/)
    const signal = AbortSignal.timeout(50)
    const target = await resolveConnection(`host=127.0.0.1 port=${port}`, { environment: {} })
    await assert.rejects(Connection.connect(target, { signal }), (error) => error === signal.reason)
    silent.removeAllListeners('connection').on('connection', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await fails(`host=127.0.0.1 port=${port}`, /does not answer like a PostgreSQL server/)
    silent.close()
  })

  it('has left the server when its farewell is over', async () => {
    for (let i = 0; i < 10; i++) {
      const brief = await server.connect('template1')
      await brief[Symbol.asyncDispose]()
      assert.deepEqual(await connection.query("SELECT pid FROM pg_stat_activity WHERE datname = 'template1'"), [])
    }
  })
})
