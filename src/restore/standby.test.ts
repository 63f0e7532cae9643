import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/target/connection-target.ts'
import { findServerBinaries } from '../postgres/server/server-binaries.ts'
import { type TestStandby, primarySettings, startTestStandby } from '../postgres/server/test-standby.ts'
import { TestBench } from './test-bench.ts'

const installed = (await findServerBinaries({ environment: process.env })).findLast(
  ({ source }) => source === 'installed',
)
const withoutPsql = installed ? false : 'needs psql, to act in the middle of a backup; install PostgreSQL'

const rows = `CREATE TABLE t (id int PRIMARY KEY, v text);
  INSERT INTO t SELECT i, repeat(i::text, 20) FROM generate_series(1, 20000) i;`

describe('a standby is backed up', { timeout: 300_000 }, () => {
  const stack = new AsyncDisposableStack()
  let bench: TestBench
  let standby: TestStandby
  before(async () => {
    bench = stack.use(await TestBench.start({ settings: primarySettings }))
    standby = stack.use(await startTestStandby(bench.server, { max_standby_streaming_delay: '0' }))
  })
  after(() => stack.disposeAsync())

  /** A database of the primary, as the standby has it. */
  async function database(sql: string): Promise<ConnectionTarget> {
    const { database: name } = await bench.database(sql)
    await standby.catchUp()
    return withDatabase(standby.target, name)
  }

  /** Does something else when the first rows arrive, and nothing of the backup before it is done. */
  function whenDataFlows(act: () => void): OnProgress {
    let done = false
    return ({ phase }) => {
      if (phase !== 'data' || done) return
      done = true
      act()
    }
  }

  function psql(target: ConnectionTarget, ...statements: string[]): void {
    const [host] = target.hosts
    const where = ['-h', host?.host ?? '', '-U', target.user, '-d', target.database]
    const commands = statements.flatMap((statement) => ['-c', statement])
    const env = { PGPASSWORD: host && target.password(host) }
    execFileSync(`${installed?.directory}/psql`, ['-Xq', '-v', 'ON_ERROR_STOP=1', ...where, ...commands], { env })
  }

  it('with everything but the contents of what is unlogged, which is said and no fault of the backup', async () => {
    const target = await database(
      `${rows} CREATE SEQUENCE s; SELECT nextval('s'); SELECT lo_from_bytea(4242, 'abc');
       CREATE UNLOGGED TABLE u (id serial PRIMARY KEY, v text); INSERT INTO u (v) VALUES ('x');
       CREATE UNLOGGED TABLE left_out (i int)`,
    )
    const { id, record, warnings } = await bench.backUpWithRecord(target, {
      selection: { excludeTableData: ['left_out'] },
    })
    assert.equal(record.totals.rows, 20_000)
    const names = bench.server.major >= 15 ? 'public.u_id_seq, public.u' : 'public.u'
    assert.deepEqual(warnings, [`a standby has nothing but the definitions of unlogged tables and sequences: ${names}`])
    const proof = await bench.expectProven(id)
    assert.equal(proof.compared.schema, true)
    assert.deepEqual(proof.notes, warnings)
  })

  it('again when it had to follow its primary, at another moment', { skip: withoutPsql }, async () => {
    const target = await database(rows)
    const onPrimary = withDatabase(bench.server.target, target.database)
    const onProgress = whenDataFlows(() =>
      psql(onPrimary, 'DELETE FROM t WHERE id % 2 = 0', 'VACUUM t', 'SELECT pg_sleep(1)'),
    )
    const { id, record } = await bench.backUpWithRecord(target, { onProgress })
    assert.equal(record.totals.rows, 10_000)
    await bench.expectProven(id)
  })

  it('never by halves: a primary that goes on clearing away ends it with a hint', { skip: withoutPsql }, async () => {
    const target = await database(rows)
    const onPrimary = withDatabase(bench.server.target, target.database)
    let last = Infinity
    const onProgress: OnProgress = ({ phase, done = 0 }) => {
      if (phase === 'data' && done < last) {
        psql(onPrimary, 'UPDATE t SET v = v WHERE id % 10 = 0', 'VACUUM t', 'SELECT pg_sleep(0.5)')
      }
      last = done
    }
    await assert.rejects(
      bench.backUp(target, { onProgress }),
      (error) => hasCode(error, 'standby-conflict') && /hot_standby_feedback/.test(error.hint ?? ''),
    )
  })

  it('also when it becomes the primary meanwhile', { skip: withoutPsql }, async () => {
    const target = await database(rows)
    const onProgress = whenDataFlows(() => psql(target, 'SELECT pg_promote()', 'DELETE FROM t'))
    const { id, record } = await bench.backUpWithRecord(target, { onProgress })
    assert.equal(record.totals.rows, 20_000)
    await bench.expectProven(id)
  })
})
