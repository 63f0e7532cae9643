import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { TestBench } from './test-bench.ts'

describe('what is chosen of a database is backed up and restored', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  it('restores one table out of many, with its indexes, its sequence and the type of its column', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE TYPE kind AS ENUM ('a', 'b');
         CREATE TABLE customers (id serial PRIMARY KEY, name text);
         CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, k kind DEFAULT 'a');
         CREATE INDEX orders_customer ON orders (customer); COMMENT ON INDEX orders_customer IS 'kept';
         CREATE VIEW both_tables AS SELECT * FROM orders JOIN customers c USING (id);
         CREATE STATISTICS both_columns ON id, name FROM customers; COMMENT ON STATISTICS both_columns IS 'not asked for';
         CREATE PUBLICATION p; COMMENT ON PUBLICATION p IS 'not asked for';
         INSERT INTO customers (name) SELECT 'c' || i FROM generate_series(1, 10) i;
         INSERT INTO orders (customer) SELECT 1 + i % 10 FROM generate_series(1, 100) i`,
      ),
    )
    const restored = await bench.restore(id, 'one_table', { tables: ['orders'] })
    assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM orders'), [['100']])
    assert.deepEqual(await bench.query(restored, "SELECT nextval('orders_id_seq')"), [['101']])
    assert.deepEqual(await bench.query(restored, "SELECT obj_description('orders_customer'::regclass)"), [['kept']])
    assert.match(restored.outcome.notes.join(), /foreign key orders orders_customer_fkey is left out/)
    assert.doesNotMatch(restored.outcome.notes.join(), /COMMENT/)
    await assert.rejects(bench.query(restored, 'SELECT * FROM customers'), (error) => hasCode(error, 'query-failed'))
    await assert.rejects(bench.restore(id, 'no_table', { tables: ['nothing'] }), (error) =>
      hasCode(error, 'selection-empty'),
    )
    await assert.rejects(bench.restore(id, 'no_table', { tables: ['a('] }), (error) => hasCode(error, 'usage-invalid'))
  })

  it('restores a schema whose view needs another one, without the view', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t AS SELECT 1 AS i; CREATE TABLE b.t AS SELECT 2 AS i;
         CREATE VIEW b.v AS SELECT * FROM a.t;
         ALTER TABLE a.t ADD PRIMARY KEY (i); ALTER TABLE a.t ADD n text; CREATE VIEW b.by_key AS SELECT i, n FROM a.t GROUP BY i`,
      ),
    )
    const restored = await bench.restore(id, 'one_schema', { schemas: ['b'] })
    assert.deepEqual(await bench.query(restored, 'SELECT i FROM b.t'), [['2']])
    assert.match(restored.outcome.notes.join(), /VIEW b\.v was left out/)
    assert.match(restored.outcome.notes.join(), /VIEW b\.by_key was left out: relation "a\.t" does not exist/)
    assert.deepEqual(
      await bench.query(
        restored,
        "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'b'::regnamespace",
      ),
      [],
    )
  })

  it('backs up a partitioned table with all its partitions, or a partition alone, and proves both', async () => {
    const database = await bench.database(
      `CREATE SCHEMA "els'e"; CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
       CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
       CREATE TABLE "els'e"."p ""1" PARTITION OF p1 FOR VALUES FROM (0) TO (10);
       CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p SELECT generate_series(0, 19)`,
    )
    const whole = await bench.backUpWithRecord(database, { selection: { tables: ['p'] } })
    assert.equal(whole.record.totals.rows, 20)
    await bench.expectProven(whole.id)
    const without = await bench.backUpWithRecord(database, { selection: { tables: ['p'], excludeTables: ['p1'] } })
    assert.equal(without.record.totals.rows, 10)
    await bench.expectProven(without.id)
    const alone = await bench.backUp(database, { selection: { tables: ['p2'] } })
    await bench.expectProven(alone)
    const restored = await bench.restore(alone, 'partition_alone')
    assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM p2'), [['10']])
    assert.match(restored.outcome.notes.join(), /the place as a partition of p2 is left out: public\.p is not restored/)
  })

  it('refuses a child without the tables that it inherits from, and says which', async () => {
    const database = await bench.database(
      `CREATE TABLE par (i int); CREATE TABLE "par,2" (j int); CREATE TABLE chi (k int) INHERITS (par, "par,2"); INSERT INTO chi VALUES (1, 2, 3)`,
    )
    const both = `--table '"public"."par"' --table '"public"."par,2"'`
    const isRefusal = (error: unknown) => hasCode(error, 'usage-invalid') && error.hint?.includes(both) === true
    await assert.rejects(bench.backUp(database, { selection: { tables: ['chi'] } }), isRefusal)
    const id = await bench.backUp(database)
    await assert.rejects(bench.restore(id, 'child', { tables: ['chi'] }), isRefusal)
    const restored = await bench.restore(id, 'child', { tables: ['chi', 'par*'] })
    assert.deepEqual(await bench.query(restored, 'SELECT * FROM chi'), [['1', '2', '3']])
    await bench.query(restored, 'TRUNCATE chi')
    await bench.restore(id, 'child', { content: 'data-only', tables: ['chi'] }) // which asks for no parents
    assert.deepEqual(await bench.query(restored, 'SELECT * FROM chi'), [['1', '2', '3']])
  })

  it('restores extensions whose schema was left out of the backup', async () => {
    const database = await bench.database(
      `CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE words AS SELECT 'a'::ext.citext AS word`,
    )
    await bench.expectProven(await bench.backUp(database, { selection: { excludeSchemas: ['ext'] } }))
  })

  it('restores a partitioned table with its partitions, and a partition without its table', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p SELECT generate_series(0, 19)`,
      ),
    )
    const whole = await bench.restore(id, 'partitioned', { tables: ['p'] })
    const invalid = 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid'
    assert.deepEqual(await bench.query(whole, invalid), [])
    assert.deepEqual(await bench.query(whole, 'SELECT count(*) FROM p'), [['20']])
    const part = await bench.restore(id, 'partition', { tables: ['p1'] })
    assert.deepEqual(await bench.query(part, 'SELECT count(*) FROM p1'), [['10']])
  })

  it('loads rows only, with the sequence, into tables that are there and empty', async () => {
    const sql = 'CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE TABLE other (i int)'
    const id = await bench.backUp(await bench.database(`${sql}; INSERT INTO t (v) VALUES ('a'), ('b')`))
    const { database, ...rest } = await bench.database(sql)
    const target = { ...rest, database }
    await bench.restore(id, database, { content: 'data-only', tables: ['t'] })
    assert.deepEqual(await bench.query(target, 'SELECT * FROM t ORDER BY id'), [
      ['1', 'a'],
      ['2', 'b'],
    ])
    assert.deepEqual(await bench.query(target, "SELECT nextval('t_id_seq')"), [['3']])
    await assert.rejects(bench.restore(id, database, { content: 'data-only' }), (error) =>
      hasCode(error, 'target-not-empty'),
    )
  })

  it('backs up what pg_dump would for the same patterns', async () => {
    const target = await bench.database(
      `CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 1 AS i; CREATE TABLE public.u (id serial); INSERT INTO u VALUES (DEFAULT), (DEFAULT);
       CREATE TABLE uses (id int DEFAULT nextval('u_id_seq'))`,
    )
    // the sequence belongs to a table that is left out, and is needed by another
    await bench.expectProven(await bench.backUp(target, { selection: { excludeTables: ['public.u'] } }))
    // patterns for tables leave those for schemas without effect
    const one = await bench.backUpWithRecord(target, { selection: { tables: ['a.t'], excludeSchemas: ['a'] } })
    assert.deepEqual([one.record.totals.tables, one.record.totals.rows], [1, 1])
    await bench.expectProven(one.id)
    const other = await bench.backUpWithRecord(target, { selection: { schemas: ['a'], tables: ['public.u'] } })
    assert.deepEqual([other.record.totals.tables, other.record.totals.rows], [1, 2])
    for (const content of ['all', 'data-only'] as const) {
      await assert.rejects(bench.backUp(target, { selection: { tables: ['nothing'], content } }), (error) =>
        hasCode(error, 'selection-empty'),
      )
    }
    const without = await bench.backUp(target, { selection: { excludeTableData: ['a.*'] } })
    await bench.expectProven(without)
  })

  it('gives everything other roles, the database and large objects too', async () => {
    const target = await bench.database(
      `CREATE ROLE old_owner; CREATE ROLE old_app; CREATE ROLE new_owner; CREATE ROLE new_app;
       CREATE TABLE t (i int); ALTER TABLE t OWNER TO old_owner; GRANT SELECT ON t TO old_app;
       SELECT lo_create(88); ALTER LARGE OBJECT 88 OWNER TO old_owner; GRANT SELECT ON LARGE OBJECT 88 TO old_app`,
    )
    const { database } = target
    await bench.query(
      bench.server.target,
      `ALTER DATABASE ${database} OWNER TO old_owner; REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
       GRANT CONNECT ON DATABASE ${database} TO old_app; ALTER ROLE old_app IN DATABASE ${database} SET work_mem = '9MB'`,
    )
    const id = await bench.backUp(target)
    const roleMap = new Map([
      ['old_owner', 'new_owner'],
      ['old_app', 'new_app'],
    ])
    const mapped = await bench.restore(id, 'mapped', { roleMap })
    assert.deepEqual(
      await bench.query(
        mapped,
        `SELECT d.datdba::regrole, has_database_privilege('new_app', 'mapped', 'CONNECT'),
           has_database_privilege('old_app', 'mapped', 'CONNECT'), s.setrole::regrole, t.relowner::regrole, l.lomowner::regrole
         FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid, pg_class t, pg_largeobject_metadata l
         WHERE d.datname = 'mapped' AND t.oid = 't'::regclass AND l.oid = 88`,
      ),
      [['new_owner', 't', 'f', 'new_app', 'new_owner', 'new_owner']],
    )
    const mine = await bench.restore(id, 'mine', { noOwner: true, noPrivileges: true })
    assert.deepEqual(
      await bench.query(mine, "SELECT relowner::regrole, relacl FROM pg_class WHERE oid = 't'::regclass"),
      [['postgres', null]],
    )
  })

  it('says which roles are missing, and creates them when told to', async () => {
    const target = await bench.database(
      `CREATE ROLE goner LOGIN PASSWORD 'secret' CONNECTION LIMIT 3; CREATE ROLE goners; GRANT goners TO goner;
       SELECT lo_create(99); ALTER LARGE OBJECT 99 OWNER TO goner; CREATE TABLE t (i int); ALTER TABLE t OWNER TO goner`,
    )
    const id = await bench.backUp(target)
    await bench.query(bench.server.target, `DROP DATABASE ${target.database}`)
    await bench.query(bench.server.target, 'DROP ROLE goner')
    await assert.rejects(
      bench.restore(id, 'with_roles'),
      (error) => hasCode(error, 'role-missing') && error.message.includes('goner'),
    )
    const restored = await bench.restore(id, 'with_roles', {}, { createRoles: true })
    assert.deepEqual(
      await bench.query(
        restored,
        "SELECT rolconnlimit, rolpassword LIKE 'SCRAM%', pg_has_role('goner', 'goners', 'MEMBER') FROM pg_authid WHERE rolname = 'goner'",
      ),
      [['3', 't', 't']],
    )
  })

  it('fills an empty database that is there, and marks it only while it is unfinished', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE TABLE t AS SELECT 1 AS i;
         CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
         CREATE EVENT TRIGGER no_drops ON sql_drop EXECUTE FUNCTION no()`,
      ),
    )
    const { database } = await bench.database()
    const restored = await bench.restore(id, database)
    assert.deepEqual(await bench.query(restored, 'SELECT i FROM t'), [['1']])
    assert.deepEqual(await bench.query(restored, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgrevive%'"), [])
  })

  it('restores what an ordinary role may restore, and notes the setting that it may not make', async () => {
    const target = await bench.database(
      `CREATE ROLE ordinary LOGIN CREATEDB PASSWORD 'o'; CREATE TABLE t AS SELECT 1 AS i`,
    )
    await bench.query(bench.server.target, `ALTER DATABASE ${target.database} SET log_statement = 'all'`)
    const id = await bench.backUp(target)
    const ordinary = { ...bench.server.target, user: 'ordinary', password: () => 'o' }
    const restored = await bench.restore(id, 'ordinary', { noOwner: true, noPrivileges: true }, { target: ordinary })
    assert.deepEqual(await bench.query(restored, 'SELECT i FROM t'), [['1']])
    assert.match(restored.outcome.notes.join(), /log_statement/)
  })

  it('waits for a migration that is under way', async () => {
    const target = await bench.database('CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i')
    await using migration = await Connection.connect(target)
    await migration.execute('BEGIN; ALTER TABLE t ADD COLUMN j int')
    const backup = bench.backUp(target)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await migration.execute('COMMIT')
    await bench.expectProven(await backup)
  })

  it('lets a migration pass that stands in the way of pg_dump, and starts over', async () => {
    const target = await bench.database('CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i')
    await using migration = await Connection.connect(target)
    const backup = bench.backUp(target)
    // between the backup's own lock and pg_dump's, which comes some hundred milliseconds later
    const locked = "SELECT FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessShareLock'"
    while ((await migration.query(locked)).length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    await migration.execute('ALTER TABLE t ADD COLUMN j int')
    const proof = await bench.expectProven(await backup)
    assert.equal(proof.compared.rows, 1000)
  })

  it('proves on a server that somebody names, and cleans up there', async () => {
    const id = await bench.backUp(await bench.database('CREATE TABLE t AS SELECT 1 AS i; SELECT lo_create(5)'))
    const proof = await bench.expectProven(id, { on: bench.server.target })
    assert.equal(proof.compared.schema, true)
    assert.deepEqual(
      await bench.query(bench.server.target, "SELECT datname FROM pg_database WHERE datname LIKE 'pgrevive%'"),
      [],
    )
  })
})
