import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { TestBench } from './test-bench.ts'

describe('statistics of a restored database', { timeout: 120_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  it('are those of local tables: no foreign server is asked, which may not be there', async () => {
    const source = await bench.database(
      `CREATE EXTENSION postgres_fdw; CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
       CREATE USER MAPPING FOR PUBLIC SERVER nowhere OPTIONS (user 'u', password 'p');
       CREATE TABLE days (d int) PARTITION BY RANGE (d);
       CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (d);
       CREATE TABLE days_10 PARTITION OF days_1 FOR VALUES FROM (0) TO (50);
       CREATE FOREIGN TABLE days_11 PARTITION OF days_1 FOR VALUES FROM (50) TO (100) SERVER nowhere;
       CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (d);
       CREATE TABLE days_20 PARTITION OF days_2 FOR VALUES FROM (100) TO (200);
       INSERT INTO days SELECT generate_series(0, 49); INSERT INTO days SELECT generate_series(100, 199);
       CREATE TABLE elder (i int); CREATE TABLE child () INHERITS (elder);
       CREATE FOREIGN TABLE stranger () INHERITS (elder) SERVER nowhere;
       INSERT INTO elder VALUES (1), (2); INSERT INTO child VALUES (3), (4)`,
    )
    await assert.rejects(bench.query(source, 'SELECT FROM stranger'), { code: 'query-failed' })
    const id = await bench.backUp(source)
    const { outcome, ...restored } = await bench.restore(id, 'with_strangers')
    assert.deepEqual(outcome.notes, [])
    const known = 'SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = $$public$$ ORDER BY 1'
    assert.deepEqual((await bench.query(restored, known)).flat(), ['child', 'days_10', 'days_2', 'days_20'])

    await bench.restore(id, 'with_strangers_again', { content: 'schema-only' })
    const { outcome: rowsOnly } = await bench.restore(id, 'with_strangers_again', { content: 'data-only' })
    assert.deepEqual(rowsOnly.notes, ['foreign keys and triggers were not asked while rows were loaded'])
  })

  it('that can not be made are a note, and the rows are there', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE FUNCTION moody(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql
           AS $$BEGIN IF current_query() LIKE 'ANALYZE%' THEN RAISE 'not now'; END IF; RETURN i; END$$;
         CREATE TABLE t AS SELECT generate_series(1, 10) AS i; CREATE INDEX ON t (moody(i))`,
      ),
    )
    const { outcome, ...restored } = await bench.restore(id, 'moody')
    assert.deepEqual(outcome.notes, ['there are no statistics of public.t yet: not now'])
    assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM t'), [['10']])
  })
})
