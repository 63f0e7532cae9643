import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../../core/app-error.ts'
import { Connection } from './connection.ts'
import { type Direction, TestProxy } from './test-proxy.ts'
import { type TestServer, startTestServer } from '../server/test-server.ts'

describe('a network that stalls without closing', { timeout: 120_000 }, () => {
  let server: TestServer
  let proxy: TestProxy
  before(async () => {
    server = await startTestServer()
    const [host] = server.target.hosts
    assert.ok(host)
    proxy = await TestProxy.start(host)
    await using connection = await server.connect()
    await connection.execute(`
      CREATE TABLE stalled (v text);
      CREATE TABLE slow_at_the_end (v text);
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
      CREATE TRIGGER wait AFTER INSERT ON slow_at_the_end EXECUTE FUNCTION wait()`)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const connect = () => Connection.connect(proxy.reach(server.target))

  /** Nobody's session has stayed behind at the server. */
  async function assertNoSession(): Promise<void> {
    await using connection = await server.connect()
    const others = `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
    for (let tries = 0; (await connection.query(others)).length > 0; tries++) {
      assert.ok(tries < 200, 'a session has stayed')
      await delay(20)
    }
  }

  const isLoss = (error: unknown) =>
    hasCode(error, 'connection-lost') && /silent for/.test(error.message) && /firewalls/.test(error.hint ?? '')

  const query = (connection: Connection) => connection.query('SELECT 1')
  const copyTo = async (connection: Connection) => {
    for await (const _ of connection.copyOut(
      "COPY (SELECT repeat('x', 9999) FROM generate_series(1, 999) a, generate_series(1, 999) b) TO STDOUT",
    ));
  }
  const copyFrom = (connection: Connection, pieces: number, table = 'stalled') => {
    const rows = (function* () {
      for (let piece = 0; piece < pieces; piece++) yield Buffer.from(`${'x'.repeat(8191)}\n`)
    })()
    return connection.copyIn(`COPY ${table} FROM STDIN`, Readable.from(rows))
  }
  const losses: readonly [string, readonly Direction[], (connection: Connection) => Promise<unknown>][] = [
    ['a query', [], query],
    ['a query', ['to the server'], query],
    ['a query', ['to the client'], query],
    ['COPY TO', [], copyTo],
    ['COPY TO', ['to the client'], copyTo],
    ['COPY FROM', [], (connection) => copyFrom(connection, 1e6)],
    ['COPY FROM', ['to the server'], (connection) => copyFrom(connection, 1e6)],
    ['COPY FROM, at its end', ['to the client'], (connection) => copyFrom(connection, 9, 'slow_at_the_end')],
  ]
  for (const [name, directions, run] of losses) {
    it(`fails ${name} and ends the session, when it loses ${directions.join() || 'everything'}`, async () => {
      await using connection = await connect()
      const ended = assert.rejects(run(connection), isLoss)
      if (run !== query) await delay(200)
      proxy.stall(...directions)
      await ended
      await assertNoSession()
    })
  }

  it('fails when the server can not be reached by anybody any more', async () => {
    await using connection = await connect()
    proxy.stall()
    proxy.stallsNew = true
    try {
      await assert.rejects(connection.query('SELECT 1'), isLoss)
    } finally {
      proxy.stallsNew = false
    }
  })

  it('fails when the session has ended and nobody has said so', async () => {
    await using connection = await connect()
    proxy.stall()
    await using administrator = await server.connect()
    await administrator.query(`SELECT pg_terminate_backend(${connection.processId}, 5000)`)
    await assert.rejects(connection.query('SELECT 1'), isLoss)
  })

  it('is not confused with a server that thinks, or waits for a lock', async () => {
    await using connection = await connect()
    assert.deepEqual(await connection.query("SELECT pg_sleep(2)::text, 'slept'"), [['', 'slept']])
    await using holder = await server.connect()
    await holder.execute('BEGIN; LOCK TABLE stalled')
    const waiting = connection.query('SELECT count(*) FROM stalled WHERE false')
    await delay(2000)
    await holder.execute('COMMIT')
    assert.deepEqual(await waiting, [['0']])
  })

  it('is not confused with a server that lets nobody else in', async () => {
    await using connection = await connect()
    await using administrator = await server.connect('template1')
    await administrator.execute('ALTER DATABASE postgres ALLOW_CONNECTIONS false')
    try {
      assert.deepEqual(await connection.query("SELECT pg_sleep(2)::text, 'slept'"), [['', 'slept']])
    } finally {
      await administrator.execute('ALTER DATABASE postgres ALLOW_CONNECTIONS true')
    }
  })

  it('is not confused with a reader who takes their time', async () => {
    await using connection = await connect()
    let bytes = 0
    for await (const piece of connection.copyOut(
      "COPY (SELECT repeat('x', 99999) FROM generate_series(1, 50)) TO STDOUT",
    )) {
      if (bytes === 0) await delay(1500)
      bytes += piece.length
    }
    assert.equal(bytes, 5_000_000)
  })
})
