import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, hasCode } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { TestProxy } from '../postgres/wire/test-proxy.ts'
import { listBackups } from '../repository/backups/open-backup.ts'
import { TestBench } from './test-bench.ts'

const rows = `CREATE TABLE t (id int PRIMARY KEY, v text);
  INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 20000) i;
  CREATE TABLE u AS SELECT * FROM t; CREATE TABLE w AS SELECT * FROM t`

describe('when the way to the server or the server itself breaks', { timeout: 300_000 }, () => {
  let bench: TestBench
  let proxy: TestProxy
  let source: ConnectionTarget
  before(async () => {
    bench = await TestBench.start()
    const [host] = bench.server.target.hosts
    assert.ok(host)
    proxy = await TestProxy.start(host)
    source = await bench.database(rows)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  /** Does something when `phase` is under way, once. */
  function during(phase: string, act: () => unknown): OnProgress {
    let done = false
    return (event) => {
      if (event.phase !== phase || done || (event.done ?? 0) === 0) return
      done = true
      act()
    }
  }

  async function assertFailsWhole(run: Promise<unknown>, code: ErrorCode): Promise<void> {
    const before = (await listBackups(bench.repository)).backups.length
    await assert.rejects(run, (error) => {
      assert.ok(hasCode(error, code), String(error))
      return true
    })
    assert.equal((await listBackups(bench.repository)).backups.length, before)
    const sessions = "SELECT pid FROM pg_stat_activity WHERE datname ~ '^(test|pgrevive)_'"
    for (let tries = 0; (await bench.query(bench.server.target, sessions)).length > 0; tries++) {
      assert.ok(tries < 200, 'a session has stayed')
      await delay(20)
    }
  }

  it('a backup whose network loses everything fails, leaves no locks, and goes through when it is run again', async () => {
    const target = proxy.reach(source)
    const onProgress = during('data', () => proxy.stall())
    await assertFailsWhole(bench.backUp(target, { onProgress }), 'connection-lost')
    await bench.expectProven(await bench.backUp(target))
  })

  it('a restore whose network loses everything fails, and leaves no database', async () => {
    const id = await bench.backUp(source)
    const target = proxy.reach(bench.server.target)
    const onProgress = during('data', () => proxy.stall())
    await assertFailsWhole(bench.restore(id, 'stalled', {}, { target, onProgress }), 'connection-lost')
    const left = await bench.query(target, "SELECT datname FROM pg_database WHERE datname ~ 'stalled|pgrevive'")
    assert.deepEqual(left, [])
  })

  it('a restore whose server can not be reached any more says so, and what it left goes with the next one', async () => {
    const id = await bench.backUp(source)
    const [host] = bench.server.target.hosts
    assert.ok(host)
    await using broken = await TestProxy.start(host)
    const target = broken.reach(bench.server.target)
    const onProgress = during('data', () => void broken[Symbol.asyncDispose]())
    await assert.rejects(bench.restore(id, 'left', {}, { target, onProgress }), (error) => {
      assert.ok(hasCode(error, 'connection-lost'), String(error))
      assert.match(error.message, /the unfinished database pgrevive_restore_\w+ could not be dropped/)
      assert.match(error.hint ?? '', /run again, or do it yourself: DROP DATABASE/)
      return true
    })
    const { outcome } = await bench.restore(id, 'left')
    assert.match(outcome.notes.join(), /dropped the database pgrevive_restore_/)
  })

  /** A condition of an extension's configuration table takes as long as one likes. */
  const readFor = (seconds: number) =>
    `CREATE EXTENSION citext; CREATE TABLE slow AS SELECT 1 AS i; ALTER EXTENSION citext ADD TABLE slow;
     UPDATE pg_extension SET extconfig = ARRAY['slow'::regclass::oid],
       extcondition = ARRAY['WHERE pg_sleep(${seconds})::text IS NOT NULL'] WHERE extname = 'citext'`

  it('a statement that somebody cancels fails the backup', async () => {
    const backup = assertFailsWhole(bench.backUp(await bench.database(readFor(60))), 'query-failed')
    await using administrator = await bench.server.connect()
    const cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while ((await administrator.query(cancel)).length === 0) await delay(50)
    await backup
  })

  it('timeouts that are set for the role and the database do not count', async () => {
    const target = await bench.database(readFor(1.5))
    await bench.query(
      bench.server.target,
      `CREATE ROLE hasty LOGIN SUPERUSER PASSWORD 'x'; ALTER ROLE hasty SET statement_timeout = '1s';
       ALTER ROLE hasty SET idle_in_transaction_session_timeout = '1s';
       ALTER DATABASE "${target.database}" SET lock_timeout = '1s'; ALTER ROLE hasty SET idle_session_timeout = '1s'`,
    )
    const hasty = { ...target, user: 'hasty', password: () => 'x' }
    const { record } = await bench.backUpWithRecord(hasty)
    assert.equal(record.totals.rows, 1)
  })
})
