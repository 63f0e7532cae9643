import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type AppError, type ErrorCode, hasCode } from '../../core/app-error.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { TestBench } from '../test-bench.ts'
import { type DiffRowsOptions, diffRows } from './diff-rows.ts'

describe('missing rows come back as they were, or not at all', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  async function diff(id: string, target: ConnectionTarget, options: Partial<DiffRowsOptions> = {}) {
    const backup = (await listBackups(bench.repository)).backups.find((it) => it.id === id)
    assert.ok(backup)
    const usual = { tables: ['*'], key: [], limit: 100, apply: undefined }
    return diffRows(bench.repository, backup, target, { ...usual, ...options })
  }

  /** `missing`, `changed`, `extra` and `inserted` rows of the only table. */
  async function apply(id: string, target: ConnectionTarget) {
    const { tables } = await diff(id, target, { apply: 'missing' })
    return tables.flatMap(({ missing, changed, extra, inserted }) => [missing, changed, extra, inserted])
  }

  async function refused(code: ErrorCode, message: RegExp, ...args: Parameters<typeof diff>): Promise<AppError> {
    const error: unknown = await diff(...args).catch((it: unknown) => it)
    assert.ok(hasCode(error, code), String(error))
    assert.match(error.message, message)
    return error
  }

  it('a type that has become another is told, and not inserted into', async () => {
    const target = await bench.database(
      `CREATE DOMAIN word AS text; CREATE DOMAIN small AS word;
       CREATE TABLE f (id int PRIMARY KEY, v float8, w small, list timestamp(3)[] DEFAULT '{}' NOT NULL, "DEFAULT" "char");
       CREATE TABLE z (id int PRIMARY KEY, v timestamptz DEFAULT now() CONSTRAINT never NOT NULL);
       INSERT INTO f VALUES (1, 0.12345678901234, 'a'), (2, 0.5, 'b'); INSERT INTO z VALUES (1, '2025-01-01 12:00+02'), (2, '2025-01-02')`,
    )
    const id = await bench.backUp(target)
    assert.deepEqual((await diff(id, target)).notes, [])
    await bench.query(
      target,
      `ALTER TABLE f ALTER v TYPE float4, ALTER w TYPE text, ALTER id TYPE bigint; ALTER TABLE z ALTER v TYPE timestamp;
       DELETE FROM f WHERE id = 1; DELETE FROM z WHERE id = 1`,
    )
    const { notes } = await diff(id, target)
    assert.deepEqual(notes.map((note) => note.replace(/: compared as .*/, '')).toSorted(), [
      'public.f: the type of id has changed from integer to bigint',
      'public.f: the type of v has changed from double precision to real',
      'public.z: the type of v has changed from timestamp with time zone to timestamp without time zone',
    ])
    for (const [table, types] of [
      ['f', /v of public\.f has changed from double precision to real$/],
      ['z', /^nothing was inserted: .* from timestamp with time zone to timestamp without time zone$/],
    ] as const) {
      const { hint } = await refused('restore-failed', types, id, target, { tables: [table], apply: 'missing' })
      assert.match(hint ?? '', /--as .*conversion/)
      assert.deepEqual(await bench.query(target, `SELECT count(*) FROM ${table}`), [['1']])
    }
  })

  it('values that the column would round now are not inserted, and others are', async () => {
    const target = await bench.database(
      "CREATE TABLE t (id int PRIMARY KEY, n numeric(6, 3), at timestamp); INSERT INTO t VALUES (1, 1.250, '2025-01-01 00:00:00.5'), (2, 1.5, '2025-01-01'), (3, NULL, NULL)",
    )
    const id = await bench.backUp(target)
    await bench.query(target, 'ALTER TABLE t ALTER n TYPE numeric(8, 1), ALTER at TYPE timestamp(0); TRUNCATE t')
    await refused(
      'restore-failed',
      /^nothing was inserted: n of public\.t, once numeric\(6,3\), is numeric\(8,1\), and 1 of/,
      id,
      target,
      {
        apply: 'missing',
      },
    )
    await bench.query(target, 'ALTER TABLE t ALTER n TYPE numeric(8, 5)')
    await refused('restore-failed', /at of public\.t/, id, target, { apply: 'missing' })
    await bench.query(target, 'INSERT INTO t VALUES (1)')
    assert.deepEqual(await apply(id, target), [2, 1, 0, 2])
    assert.deepEqual(await bench.query(target, 'SELECT n FROM t ORDER BY id'), [[null], ['1.50000'], [null]])
  })

  it('into tables with deferrable constraints, whose violation is an error that says so', async () => {
    const target = await bench.database(
      `CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED);
       INSERT INTO t SELECT i, i FROM generate_series(1, 10) i`,
    )
    const id = await bench.backUp(target)
    await bench.query(target, 'DELETE FROM t WHERE id < 4')
    assert.deepEqual(await apply(id, target), [3, 0, 0, 3])
    await bench.query(target, 'DELETE FROM t WHERE id < 4; INSERT INTO t VALUES (11, 2)')
    const { hint } = await refused(
      'restore-failed',
      /^nothing was inserted: duplicate key .*\(place\)=\(2\)/,
      id,
      target,
      {
        apply: 'missing',
      },
    )
    assert.match(hint ?? '', /DEFERRABLE/)
    assert.deepEqual(await bench.query(target, 'SELECT count(*) FROM t'), [['8']])
  })

  it('not into tables with rules on INSERT, which are named; rules on UPDATE do not matter', async () => {
    const target = await bench.database(
      `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10);
       CREATE RULE keep AS ON UPDATE TO t DO INSTEAD NOTHING`,
    )
    const id = await bench.backUp(target)
    await bench.query(target, 'DELETE FROM t WHERE id < 4')
    assert.deepEqual(await apply(id, target), [3, 0, 0, 3])
    await bench.query(target, 'DELETE FROM t WHERE id < 4; CREATE RULE never AS ON INSERT TO t DO INSTEAD NOTHING')
    const { hint } = await refused('restore-failed', /rules .* INSERT: never$/, id, target, { apply: 'missing' })
    assert.match(hint ?? '', /DISABLE RULE/)
    assert.equal((await diff(id, target)).tables[0]?.missing, 3)
  })

  it('tables without a key are named together, and a column that --key names twice', async () => {
    const target = await bench.database(
      'CREATE TABLE a (id int); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c ()',
    )
    const id = await bench.backUp(target)
    const { hint } = await refused('usage-invalid', /^public\.a, public\.c have no primary key/, id, target)
    assert.match(hint ?? '', /each of these alone/)
    await refused('usage-invalid', /names the column id twice/, id, target, { tables: ['b'], key: ['id', 'id'] })
  })

  it("somebody's lock is waited for, but not without end", async () => {
    const target = await bench.database('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)')
    const id = await bench.backUp(target)
    await using holding = await Connection.connect(target)
    await holding.execute('BEGIN; LOCK TABLE t')
    const lockTimeoutMs = 200
    const { hint } = await refused('table-locked', /locked for 0\.2 s/, id, target, { lockTimeoutMs })
    assert.match(hint ?? '', /nothing was changed; .*pg_blocking_pids/)
    await holding.execute('ROLLBACK; BEGIN; DELETE FROM t; COMMIT; BEGIN; INSERT INTO t VALUES (1)')
    await refused('table-locked', /rows of it/, id, target, { lockTimeoutMs, apply: 'missing' })
    await holding.execute('ROLLBACK')
    assert.deepEqual(await apply(id, target), [1, 0, 0, 1])
  })
})
