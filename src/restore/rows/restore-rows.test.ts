import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { TestBench } from '../test-bench.ts'
import { type RestoreRowsOptions, restoreRows } from './restore-rows.ts'

const odd = `
  CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('a', 'b'); CREATE DOMAIN s.word AS text COLLATE "C" CHECK (value <> '');
  CREATE SEQUENCE s.shared; CREATE FUNCTION s.f(int) RETURNS int IMMUTABLE LANGUAGE sql RETURN $1 + 1;
  CREATE TABLE s.parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text COLLATE "C" DEFAULT 'x' NOT NULL,
    n int DEFAULT nextval('s.shared') NOT NULL, g int GENERATED ALWAYS AS (n * 2) STORED, m s.mood DEFAULT 'a', w s.word,
    list int[] DEFAULT '{1,2}', CONSTRAINT positive CHECK (n > 0 AND NOT (n = -7)), UNIQUE (v, n) DEFERRABLE);
  CREATE TABLE s.child (extra int NOT NULL DEFAULT 5 CHECK (extra > 0)) INHERITS (s.parent);
  CREATE TABLE s.serial (id bigserial PRIMARY KEY, d int DEFAULT s.f(4), w text DEFAULT CASE WHEN NOT true THEN 'a' ELSE 'b' END NOT NULL)
    WITH (fillfactor = 70);
  CREATE TYPE s.pair AS (a int, b text); CREATE TABLE s.typed OF s.pair (a WITH OPTIONS PRIMARY KEY, b DEFAULT 'q');
  CREATE TABLE s."we""ird '; DROP" ("co,l" text DEFAULT ', )', "DEFAULT" "char", "\u00e4" bytea, e int4range,
    CONSTRAINT "x y" CHECK ("co,l" <> 'nextval('), EXCLUDE USING gist (e WITH &&));
  CREATE UNIQUE INDEX "i x" ON s."we""ird '; DROP" (lower("co,l")) WHERE "co,l" IS NOT NULL;
  CREATE TABLE s.empty (); CREATE TABLE s.points (at point, x xml, j json, jb jsonb, f float8, t timestamptz, b bit(3), c char(4));
  INSERT INTO s.parent (v, m, w) SELECT 'v' || i, 'b', 'w' FROM generate_series(1, 20) i;
  INSERT INTO s.child (id, v, extra) SELECT 100 + i, 'c' || i, i FROM generate_series(1, 5) i;
  INSERT INTO s.serial SELECT FROM generate_series(1, 10); INSERT INTO s.typed VALUES (1, 'one');
  INSERT INTO s."we""ird '; DROP" VALUES (E'a\\tb\\\\', 'x', '\\xdeadbeef', '[1,3)'), (NULL, NULL, NULL, NULL);
  INSERT INTO s.empty SELECT FROM generate_series(1, 3);
  INSERT INTO s.points VALUES ('(1,2)', '<a/>', '{"a": 1.00}', '[1.0, null]', 0.1, '2025-01-01 00:00+01', B'101', 'ab')`

const partitioned = `
  CREATE TABLE prices (id bigserial, at date NOT NULL, price numeric(10, 2), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE INDEX ON prices (price);
  CREATE TABLE prices_25 (price numeric(10, 2), at date NOT NULL, id bigint NOT NULL);
  ALTER TABLE prices ATTACH PARTITION prices_25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE prices_rest PARTITION OF prices DEFAULT PARTITION BY HASH (id);
  CREATE TABLE prices_rest0 PARTITION OF prices_rest FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  INSERT INTO prices (at, price) SELECT date '2025-12-01' + i, i / 7.0 FROM generate_series(1, 60) i`

describe('rows of a backup come back beside the live ones', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  async function restore(id: string, target: ConnectionTarget, options: Partial<RestoreRowsOptions>) {
    const backup = (await listBackups(bench.repository)).backups.find((it) => it.id === id)
    assert.ok(backup)
    const into = { schema: 'restored' }
    return restoreRows(bench.repository, backup, target, {
      tables: [],
      into,
      where: undefined,
      analyze: true,
      ...options,
    })
  }

  const relations =
    "SELECT oid::regclass FROM pg_class WHERE relnamespace::regnamespace::text ~ '^(restored|public)$' ORDER BY 1"

  it('tables of every kind, with all that is their own and nothing of the live ones', async () => {
    const target = await bench.database(odd)
    const id = await bench.backUp(target)
    const { tables, notes } = await restore(id, target, { tables: ['s.*'] })
    assert.deepEqual(tables.map(({ into, rows }) => `${into.name} ${rows}`).toSorted(), [
      'child 5',
      'empty 3',
      'parent 20',
      'points 1',
      'serial 10',
      'typed 1',
      `we"ird '; DROP 2`,
    ])
    for (const { from, into } of tables) {
      const rows = ({ schema, name }: { schema: string; name: string }) =>
        `SELECT t::text FROM ONLY "${schema}"."${name.replaceAll('"', '""')}" t ORDER BY 1`
      assert.deepEqual(await bench.query(target, rows(into)), await bench.query(target, rows(from)), from.name)
    }
    const definitions = (schema: string) => `
      SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, attcollation,
        attidentity, pg_get_expr(adbin, adrelid)
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = '${schema}'::regnamespace)
      ORDER BY 1, attnum`
    const strip = (rows: readonly (readonly (string | null)[])[]) =>
      rows.map(([table, name, type, notNull, generated, collation, identity, value]) => {
        const draws = identity !== '' || value?.startsWith('nextval(')
        return [
          table?.replace(/^(s|restored)\./, ''),
          name,
          type,
          notNull,
          generated,
          collation,
          '',
          draws ? null : value,
        ]
      })
    const [copied, live] = [
      await bench.query(target, definitions('restored')),
      await bench.query(target, definitions('s')),
    ]
    assert.deepEqual(strip(copied), strip(live))
    assert.deepEqual(
      strip(copied).map(([, , , , , , , value]) => value),
      copied.map(([, , , , , , , value]) => value),
    )
    const built = (schema: string) => `
      SELECT replace(pg_get_constraintdef(oid), '${schema}.', ''), convalidated FROM pg_constraint
      WHERE connamespace = '${schema}'::regnamespace AND conrelid <> 0 ORDER BY 1, 2`
    assert.deepEqual(await bench.query(target, built('restored')), await bench.query(target, built('s')))
    assert.match(
      notes.join('\n'),
      /restored\.parent has no default for n, id: the sequence stays with s\.parent alone[^]*restored\.serial has no default for id/,
    )
    const comment = "SELECT obj_description('restored.typed'::regclass)"
    assert.match(String(await bench.query(target, comment)), new RegExp(`^s\\.typed as of 20.*from backup ${id}$`))
  })

  it('all rows of a partitioned table as a plain one, and those of a partition alone', async () => {
    const target = await bench.database(partitioned)
    const id = await bench.backUp(target)
    await bench.query(target, 'DELETE FROM prices WHERE id % 2 = 0')
    const { tables } = await restore(id, target, { tables: ['prices*'] })
    assert.deepEqual(
      tables.map(({ into, rows }) => [into.name, rows]),
      [['prices', 60]],
    )
    assert.deepEqual(
      await bench.query(
        target,
        "SELECT relkind, (SELECT count(*) FROM restored.prices), (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) FROM pg_class c WHERE oid = 'restored.prices'::regclass",
      ),
      [['r', '60', '2']],
    )
    await restore(id, target, { tables: ['prices_rest0'], into: { schema: undefined, name: 'rest' } })
    assert.deepEqual(await bench.query(target, 'SELECT count(*) FROM rest'), [['30']])
  })

  it('only rows that a condition holds for, and says what a condition may not be', async () => {
    const target = await bench.database(
      `CREATE TABLE t (id int PRIMARY KEY, city text, p numeric, double numeric GENERATED ALWAYS AS (p * 2) STORED);
       INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN 'M\u00e1laga' ELSE 'Rome' END, i FROM generate_series(1, 100) i`,
      { encoding: 'LATIN1' },
    )
    const id = await bench.backUp(target)
    const where = "city = 'M\u00e1laga' -- only\n AND (p::int <= 50 OR t_some.id = 100)"
    const { tables } = await restore(id, target, { tables: ['t'], into: { schema: undefined, name: 't_some' }, where })
    assert.deepEqual(
      tables.map(({ rows }) => rows),
      [26],
    )
    assert.deepEqual(await bench.query(target, 'SELECT count(*), count(*) FILTER (WHERE double = p * 2) FROM t_some'), [
      ['26', '26'],
    ])
    const refused = [
      'true); DROP TABLE t; --',
      '(true',
      "'a",
      '',
      'double > 5',
      'nowhere > 5',
      'id IN (SELECT id FROM public.t)',
      'count(*) > 1',
    ]
    for (const text of refused) {
      await assert.rejects(
        restore(id, target, { tables: ['t'], where: text }),
        (error) => hasCode(error, 'usage-invalid') && error.message.startsWith('--where can not be used: '),
        text,
      )
    }
    assert.deepEqual(
      (await bench.query(target, relations)).map(([name]) => name),
      ['t', 't_pkey', 't_some', 't_some_pkey'],
    )
  })

  it('never touches what is there, and leaves nothing where it fails', async () => {
    const target = await bench.database(
      `CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id serial PRIMARY KEY, m mood); CREATE TABLE u AS SELECT 1 AS i;
       CREATE SCHEMA other; CREATE TABLE other.u (); INSERT INTO t (m) SELECT 'b' FROM generate_series(1, 10); CREATE VIEW v AS SELECT 1`,
    )
    const id = await bench.backUp(target)
    const before = await bench.query(target, relations)
    const refused = async (
      code: Parameters<typeof hasCode>[1],
      message: RegExp,
      options: Partial<RestoreRowsOptions>,
    ) => {
      await assert.rejects(restore(id, target, options), (error) => {
        assert.ok(hasCode(error, code), String(error))
        assert.match(error.message, message)
        return true
      })
      assert.deepEqual(await bench.query(target, relations), before)
    }
    const as = (name: string) => ({ schema: undefined, name })
    await refused('target-exists', /public\.u exists already/, { tables: ['t'], into: as('u') })
    await refused('target-exists', /public\.t_pkey exists/, { tables: ['t'], into: as('t_pkey') })
    await refused('target-exists', /public\.t exists/, { tables: ['t', 'public.u'], into: { schema: 'public' } })
    await refused('usage-invalid', /two of the chosen tables are called u/, { tables: ['*.u'] })
    await refused('usage-invalid', /says that a restore did not end/, {
      tables: ['t'],
      into: { schema: 'pgrevive_restore_unfinished' },
    })
    await refused('usage-invalid', /--as is the name of one table/, { tables: ['t', 'u'], into: as('x') })
    await refused('selection-empty', /views only/, { tables: ['v'] })
    await refused('selection-empty', /matches/, { tables: ['nothing'] })
    await bench.query(target, "DROP TABLE t; DROP TYPE mood; CREATE TYPE mood AS ENUM ('a')")
    const left = await bench.query(target, relations)
    await assert.rejects(
      restore(id, target, { tables: ['t', 'public.u'] }),
      (error) =>
        hasCode(error, 'restore-failed') &&
        /invalid input value for enum/.test(error.message) &&
        /a type that has become another/.test(error.hint ?? ''),
    )
    await bench.query(target, 'DROP TYPE mood')
    await assert.rejects(
      restore(id, target, { tables: ['public.u', 't'] }),
      (error) => hasCode(error, 'restore-failed') && /"public\.mood" does not exist/.test(error.message),
    )
    assert.deepEqual(await bench.query(target, relations), left)
    assert.deepEqual(await bench.query(target, "SELECT FROM pg_namespace WHERE nspname = 'restored'"), [])
  })

  it('waits for nobody without end', async () => {
    const target = await bench.database('CREATE TABLE t AS SELECT 1 AS i')
    const id = await bench.backUp(target)
    await using somebody = await bench.server.connect(target.database)
    await somebody.execute('BEGIN; CREATE SCHEMA restored')
    const options = { tables: ['t'], lockTimeoutMs: 200 }
    await assert.rejects(
      restore(id, target, options),
      (error) => hasCode(error, 'table-locked') && /locked for 0\.2 s/.test(error.message),
    )
    await somebody.execute('ROLLBACK')
    assert.equal((await restore(id, target, options)).tables[0]?.rows, 1)
  })

  it('refuses to send new tables to subscribers that lack them', async () => {
    await using logical = await TestBench.start({ settings: { wal_level: 'logical' } })
    const target = await logical.database(
      'CREATE TABLE t AS SELECT 1 AS i; CREATE PUBLICATION everything FOR ALL TABLES',
    )
    const id = await logical.backUp(target)
    const [backup] = (await listBackups(logical.repository)).backups
    assert.ok(backup?.id === id)
    const options = { tables: ['t'], into: { schema: 'restored' }, where: undefined, analyze: false }
    await logical.query(target, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
    await assert.rejects(
      restoreRows(logical.repository, backup, target, options),
      (error) => hasCode(error, 'restore-failed') && error.message.includes('publication everything'),
    )
    await logical.query(target, "SELECT pg_drop_replication_slot('s')")
    assert.equal((await restoreRows(logical.repository, backup, target, options)).tables[0]?.rows, 1)
  })
})
