import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { withDatabase } from '../target/connection-target.ts'
import { Connection } from '../wire/connection.ts'
import { endClientsIn, endSessionsIn } from './end-sessions.ts'
import { type TestServer, loadSql, startTestServer } from './test-server.ts'

describe('ending sessions', { timeout: 60_000 }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop')
    await loadSql(
      server.target,
      `CREATE ROLE app LOGIN PASSWORD 'p'; CREATE ROLE heir LOGIN PASSWORD 'p' IN ROLE app;
       CREATE ROLE member LOGIN NOINHERIT PASSWORD 'p' IN ROLE app; CREATE ROLE stranger LOGIN PASSWORD 'p';
       CREATE ROLE signals LOGIN PASSWORD 'p' IN ROLE pg_signal_backend`,
    )
  })
  after(() => server[Symbol.asyncDispose]())

  const connectAs = (user: string, database: string) => {
    const target = withDatabase(server.target, database)
    return Connection.connect(user === 'postgres' ? target : { ...target, user, password: () => 'p' })
  }
  async function usersIn(database: string): Promise<string> {
    await using connection = await server.connect()
    const sql = `SELECT usename FROM pg_stat_activity WHERE datname = '${database}' AND backend_type = 'client backend' ORDER BY 1`
    return (await connection.query(sql)).flat().join()
  }

  it('ends those that the role may end, and fails at no other', async () => {
    const expected = [
      ['stranger', 'app,postgres'],
      ['member', 'app,postgres'], // it would have to SET ROLE first
      ['heir', 'postgres'],
      ['signals', 'postgres'],
      ['postgres', ''],
    ] as const
    for (const [user, left] of expected) {
      await using _app = await connectAs('app', 'shop')
      await using _super = await connectAs('postgres', 'shop')
      await using connection = await connectAs(user, 'postgres')
      const ended = await endSessionsIn(connection, 'shop')
      assert.equal(ended, 2 - left.split(',').filter(Boolean).length, user)
      for (let tries = 0; (await usersIn('shop')) !== left; tries++) assert.ok(tries < 1000, user)
    }
  })

  it('leaves its own alone', async () => {
    await using _app = await connectAs('app', 'shop')
    await using connection = await connectAs('postgres', 'shop')
    assert.equal(await endClientsIn(connection, 'shop'), 1)
    assert.deepEqual(await connection.query('SELECT 1'), [['1']])
  })
})
