import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../../core/app-error.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { TestProxy } from '../../postgres/wire/test-proxy.ts'
import { type Swap, endLockHolders, swapNames } from './swap-names.ts'

describe('the swap of two names', { timeout: 60_000 }, () => {
  let server: TestServer
  let owner: ConnectionTarget
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, "CREATE ROLE owner LOGIN CREATEDB PASSWORD 'o'")
    owner = { ...server.target, user: 'owner', password: () => 'o' }
  })
  after(() => server?.[Symbol.asyncDispose]())

  /** Two databases of the owner, of which one is to get the name of the other. */
  async function make(of: string): Promise<void> {
    for (const name of [of, `${of}_restored`]) await loadSql(server.target, `CREATE DATABASE ${name} OWNER owner`)
  }

  function swap(of: string, target = owner): Promise<Swap> {
    const kept = { state: 'before', of, run: '20261122_210405', backup: '01JD8Y00000000000000000000' } as const
    const incoming = { name: `${of}_restored`, comment: null }
    return swapNames(withDatabase(target, of), incoming, kept, { graceMs: 0, onNotice: () => undefined })
  }

  async function databases(of: string): Promise<unknown[]> {
    await using connection = await server.connect()
    return (await connection.query(`SELECT datname FROM pg_database WHERE datname ^@ '${of}' ORDER BY 1`)).flat()
  }

  it('is told as it ended where the connection breaks before the server is done', async () => {
    await make('shop')
    const [host] = server.target.hosts
    assert.ok(host)
    await using proxy = await TestProxy.start(host)
    await using watching = await server.connect()
    // a superuser, whom the owner may not end: the server waits for him
    await using staying = await server.connect('shop')
    const swapping = swap('shop', { ...proxy.reach(owner), password: owner.password })
    const renaming = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query ~ '^BEGIN;.* RENAME TO '"
    while ((await watching.query(renaming)).length === 0) await delay(10)
    proxy.cut()
    await delay(100)
    await staying[Symbol.asyncDispose]()
    const { kept } = await swapping
    assert.deepEqual(await databases('shop'), ['shop', kept])
  })

  it('is given up where something has the database locked, and changes nothing', async () => {
    await make('office')
    await using commenting = await server.connect()
    await commenting.execute("BEGIN; COMMENT ON DATABASE office IS 'an office'")
    await assert.rejects(swap('office'), (error) => hasCode(error, 'target-busy') && /pg_locks/.test(error.hint ?? ''))
    assert.deepEqual(await databases('office'), ['office', 'office_restored'])
  })

  it('names who holds a table and can not be ended, and ends who can', async () => {
    await make('bank')
    await loadSql(server.target, "CREATE ROLE teller LOGIN PASSWORD 't'; GRANT pg_monitor, pg_signal_backend TO owner")
    await loadSql(
      withDatabase(server.target, 'bank'),
      'CREATE TABLE a (); CREATE TABLE b (); ALTER TABLE b OWNER TO teller',
    )
    await using watching = await server.connect()
    await using staying = await server.connect('bank')
    await using ending = await Connection.connect({
      ...withDatabase(server.target, 'bank'),
      user: 'teller',
      password: () => 't',
    })
    await staying.execute("SET application_name = 'night shift'; BEGIN; LOCK a")
    await ending.execute('BEGIN; LOCK b')
    const notices: string[] = []
    const options = { graceMs: 0, onNotice: (notice: string) => void notices.push(notice) }
    const isNamed = (error: unknown) =>
      hasCode(error, 'target-busy') &&
      error.message.startsWith(`postgres (night shift, pid ${staying.processId}) `) &&
      /nothing was changed/.test(error.hint ?? '')
    await assert.rejects(endLockHolders(withDatabase(owner, 'bank'), options), isNamed)
    assert.match(notices.join(), new RegExp(`: teller \\([^,]*, pid ${ending.processId}\\)$`))
    const alive = `SELECT FROM pg_stat_activity WHERE pid = ${ending.processId}`
    while ((await watching.query(alive)).length > 0) await delay(10)
    // what it does is told to nobody but pg_monitor, and that it holds a table to everybody
    await loadSql(server.target, 'REVOKE pg_monitor FROM owner')
    await assert.rejects(endLockHolders(withDatabase(owner, 'bank'), options), isNamed)
    await staying.execute('ROLLBACK')
    await endLockHolders(withDatabase(owner, 'bank'), options)
  })
})
