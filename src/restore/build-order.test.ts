import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { TestBench } from './test-bench.ts'

describe('indexes and constraints are built while other tables are still being filled', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  it('but an index with a function not before the table is full that the function reads', async () => {
    const id = await bench.backUp(
      await bench.database(
        // by the hash of an enum, so that rows come through the root and loading them locks nobody out
        `CREATE TYPE kind AS ENUM ('a', 'b');
         CREATE TABLE lookup (id int, name text, kind kind) PARTITION BY HASH (kind);
         CREATE TABLE lookup_0 PARTITION OF lookup FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE lookup_1 PARTITION OF lookup FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO lookup SELECT i, 'name ' || i, 'a' FROM generate_series(1, 200000) i;
         CREATE FUNCTION name_of(wanted int) RETURNS text LANGUAGE sql IMMUTABLE
           RETURN (SELECT name FROM public.lookup WHERE id = wanted);
         CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(199991, 200000);
         CREATE INDEX by_name ON t (name_of(id)); CREATE INDEX by_part ON t (id) WHERE name_of(id) IS NOT NULL`,
      ),
    )
    const restored = await bench.restore(id, 'looked_up', {}, { jobs: 2 })
    const plan =
      "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; EXPLAIN SELECT FROM t WHERE name_of(id) = 'name 200000'"
    assert.match((await bench.query(restored, plan)).join(), /by_name/)
    const found = await bench.query(
      restored,
      "SET enable_seqscan = off; SELECT id FROM t WHERE name_of(id) = 'name 200000'",
    )
    assert.deepEqual(found, [['200000']])
    const size = await bench.query(restored, "SELECT reltuples FROM pg_class WHERE relname = 'by_part'")
    assert.deepEqual(size, [['10']])
    await bench.expectProven(id)
  })

  it('and foreign keys of tables that refer to each other, to themselves and to partitioned ones', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE TABLE a (id int PRIMARY KEY, b int, parent int REFERENCES a);
         CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, UNIQUE (a, id));
         INSERT INTO a SELECT i, i, nullif(i - 1, 0) FROM generate_series(1, 30000) i;
         INSERT INTO b SELECT i, i FROM generate_series(1, 30000) i;
         ALTER TABLE a ADD CONSTRAINT to_b FOREIGN KEY (b) REFERENCES b, ADD FOREIGN KEY (b, id) REFERENCES b (a, id);
         COMMENT ON CONSTRAINT to_b ON a IS 'both ways';
         CREATE INDEX a_b ON a (b); ALTER TABLE a CLUSTER ON a_b; COMMENT ON INDEX a_b IS 'clustered';
         CREATE UNIQUE INDEX b_a ON b (a); ALTER TABLE b ALTER a SET NOT NULL, REPLICA IDENTITY USING INDEX b_a;
         CREATE TABLE p (id int PRIMARY KEY, a int REFERENCES a) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200000) PARTITION BY HASH (id);
         CREATE TABLE p21 PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE p22 PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO p SELECT i, i FROM generate_series(1, 30000) i;
         CREATE TABLE c (p int REFERENCES p, one int UNIQUE DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO c SELECT i, i FROM generate_series(1, 30000) i`,
      ),
    )
    for (const jobs of [1, 4]) {
      await bench.expectProven(id, { jobs })
      const restored = await bench.restore(id, `with_${jobs}_jobs`, {}, { jobs })
      const keys = "SELECT count(*) FILTER (WHERE convalidated), count(*) FROM pg_constraint WHERE contype = 'f'"
      const [[valid, all] = []] = await bench.query(restored, keys)
      assert.equal(valid, all)
    }
  })
})
