import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { withDatabase } from '../postgres/target/connection-target.ts'
import { loadSql, runClient } from '../postgres/server/test-server.ts'
import { ExportBench } from './test-export.ts'

const shared = new URL('../../../shared/fixtures/', import.meta.url)
const rowsOf = (table: string) => `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`

describe('an export comes back equal', { timeout: 600_000 }, () => {
  let bench: ExportBench
  before(async () => {
    bench = await ExportBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())
  const backUp = async (sql: string, options: { encoding?: string } = {}) => {
    const source = await bench.bench.database(sql, options)
    return { source, id: await bench.bench.backUp(source) }
  }

  for (const fixture of ['tricky.sql', 'pagila.sql', 'regression.dump']) {
    const missing = !existsSync(new URL(fixture, shared)) && `../shared/fixtures/${fixture} is not there`
    it(`${fixture}, through psql and pg_restore`, { skip: missing }, async () => {
      const { pathname } = new URL(fixture, shared)
      const { server } = bench.bench
      // tricky.sql makes its database itself
      const source = fixture === 'tricky.sql' ? withDatabase(server.target, 'tricky') : await bench.bench.database()
      await loadSql(fixture === 'tricky.sql' ? server.target : source, pathname)
      const id = await bench.bench.backUp(source)
      const custom = await bench.export(id, { format: 'custom', compression: { method: 'gzip' } })
      const list = await bench.list(custom)
      assert.equal(list.filter((line) => line.startsWith('TABLE DATA ')).length > 10, true)
      await bench.assertEqual(await bench.pgRestore(custom, ['-j2']), id)
      if (fixture === 'regression.dump') return
      const directory = await bench.export(id, { format: 'directory', compression: { method: 'gzip', level: 1 } })
      await bench.assertEqual(await bench.pgRestore(directory, ['-j2']), id)
      await bench.assertEqual(await bench.psql(await bench.export(id)), id)
    })
  }

  it('in every format without compression, too, and as a script that pg_restore writes', async () => {
    const { id } = await backUp(
      `CREATE TABLE t AS SELECT i, repeat(md5(i::text), 20) AS v FROM generate_series(1, 3000) i;
       SELECT lo_from_bytea(5000, decode(repeat('00ff5c0a', 200000), 'hex')); SELECT lo_create(4000000000)`,
    )
    const path = await bench.export(id, { format: 'custom' })
    await bench.assertEqual(await bench.pgRestore(path), id)
    await writeFile(`${path}.sql`, await runClient(undefined, 'pg_restore', ['-f', '-', path]))
    await bench.assertEqual(await bench.psql(`${path}.sql`), id)
    await bench.assertEqual(await bench.pgRestore(await bench.export(id, { format: 'directory' })), id)
    await bench.assertEqual(await bench.psql(await bench.export(id)), id)
  })

  it('as a script that is compressed', async () => {
    const { id } = await backUp(`CREATE TABLE t AS SELECT i, md5(i::text) AS v FROM generate_series(1, 3000) i`)
    for (const [compression, decompress] of [
      [{ method: 'gzip' }, gunzipSync],
      [{ method: 'zstd', level: 19 }, zstdDecompressSync],
    ] as const) {
      const path = await bench.export(id, { compression })
      await writeFile(`${path}.sql`, decompress(await readFile(path)))
      await bench.assertEqual(await bench.psql(`${path}.sql`), id)
    }
  })

  it('with what partitions, their keys and their triggers wait for, when several jobs restore', async () => {
    const { id, source } = await backUp(
      `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
       CREATE TABLE parent (id int PRIMARY KEY, m text) PARTITION BY RANGE (id);
       CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM (0) TO (5000);
       CREATE TABLE parent_2 PARTITION OF parent DEFAULT PARTITION BY HASH (id);
       CREATE TABLE parent_3 PARTITION OF parent_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
       CREATE TABLE child (id int, parent int REFERENCES parent, changed bool DEFAULT false) PARTITION BY HASH (id);
       CREATE TABLE child_0 PARTITION OF child FOR VALUES WITH (MODULUS 2, REMAINDER 0);
       CREATE TABLE child_1 PARTITION OF child FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       CREATE TABLE moods (id int, m mood, PRIMARY KEY (id, m)) PARTITION BY HASH (m);
       CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 0);
       CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       INSERT INTO parent SELECT i, i % 7 FROM generate_series(1, 10000) i;
       INSERT INTO child SELECT i, i FROM generate_series(1, 10000) i;
       INSERT INTO moods SELECT i, (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3] FROM generate_series(1, 1000) i;
       CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed := true; RETURN NEW; END';
       CREATE TRIGGER "on""e" BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION change();
       COMMENT ON TRIGGER "on""e" ON child IS 'changes'; COMMENT ON CONSTRAINT child_parent_fkey ON child IS 'points';
       COMMENT ON INDEX parent_pkey IS 'found'; CREATE INDEX c ON child (parent); COMMENT ON INDEX c IS 'finds'`,
    )
    for (const format of ['custom', 'directory'] as const) {
      const path = await bench.export(id, { format })
      const restored = await bench.pgRestore(path, ['-j4'])
      for (const table of ['parent', 'child', 'moods']) {
        assert.deepEqual(
          await bench.bench.query(restored, rowsOf(table)),
          await bench.bench.query(source, rowsOf(table)),
        )
      }
      await bench.assertEqual(restored, id)
    }
    await bench.assertEqual(await bench.psql(await bench.export(id)), id)
  })

  it('in an encoding of its own: LATIN1, and bytes without a meaning', async () => {
    const sql = `CREATE TABLE "sch\u00f6n" ("gr\u00f6\u00dfe" text, id serial); INSERT INTO "sch\u00f6n" VALUES ('\u00e9t\u00e9');
      CREATE SEQUENCE "s\u00e9q"; SELECT nextval('"s\u00e9q"'); COMMENT ON TABLE "sch\u00f6n" IS 'caf\u00e9';
      SELECT lo_from_bytea(77, '\\xdeadbeef'); COMMENT ON LARGE OBJECT 77 IS '\u00e9'`
    for (const encoding of ['LATIN1', 'SQL_ASCII', 'EUC_JP']) {
      const text = encoding === 'EUC_JP' ? sql.replaceAll(/[\u00f6\u00df\u00e9]/g, '\u6f22') : sql
      const { id } = await backUp(text, { encoding })
      await bench.assertEqual(await bench.psql(await bench.export(id), encoding), id)
      const custom = await bench.export(id, { format: 'custom', compression: { method: 'gzip' } })
      await bench.assertEqual(await bench.pgRestore(custom, ['-j2'], encoding), id)
      if (encoding === 'LATIN1') {
        const converted = await bench.pgRestore(custom)
        assert.deepEqual(await bench.bench.query(converted, 'SELECT "gr\u00f6\u00dfe" FROM "sch\u00f6n"'), [
          ['\u00e9t\u00e9'],
        ])
      }
    }
  })

  it('though nothing is in the database', async () => {
    const { id } = await backUp('')
    await bench.assertEqual(await bench.psql(await bench.export(id)), id)
    await bench.assertEqual(await bench.pgRestore(await bench.export(id, { format: 'custom' }), ['-j2']), id)
    await bench.assertEqual(await bench.pgRestore(await bench.export(id, { format: 'directory' })), id)
  })

  it('with names that try to end comments and to run commands', async () => {
    const sign = `/tmp/pwned-${process.pid}`
    const evil = `x\n\\! touch ${sign}\n\\unrestrict\n-- ' " \\ \u00e9 $$ :"x"`
    const name = `"${evil.replaceAll('"', '""')}"`
    const text = `'${`${evil}\nDROP TABLE kept;`.replaceAll("'", "''")}'`
    const { id } = await backUp(
      `CREATE TABLE kept (a int); INSERT INTO kept VALUES (1); CREATE SCHEMA ${name}; CREATE DOMAIN ${name}."d\n" AS int;
       CREATE TABLE ${name}.${name} (${name} text DEFAULT ${text}, n serial PRIMARY KEY, d ${name}."d\n");
       INSERT INTO ${name}.${name} (${name}) VALUES (${text}), ('\\.'), (NULL), (E'\\r\\n\\t\\b');
       COMMENT ON TABLE ${name}.${name} IS ${text}; COMMENT ON COLUMN ${name}.${name}.${name} IS ${text};
       CREATE INDEX "i\n" ON ${name}.${name} (${name}); COMMENT ON INDEX ${name}."i\n" IS ${text};
       CREATE FUNCTION ${name}."f\n"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
       CREATE TRIGGER "t\n" BEFORE INSERT ON ${name}.${name} FOR EACH ROW EXECUTE FUNCTION ${name}."f\n"();
       COMMENT ON TRIGGER "t\n" ON ${name}.${name} IS ${text}; ALTER TABLE ${name}.${name} ADD CONSTRAINT "c\n" CHECK (n > 0);
       CREATE SEQUENCE ${name}."s\r"; CREATE ROLE ${name}; GRANT SELECT ON ${name}.${name} TO ${name};
       GRANT UPDATE (n) ON ${name}.${name} TO ${name}; ALTER TABLE ${name}.${name} OWNER TO ${name};
       CREATE VIEW ${name}."v\n" AS SELECT * FROM ${name}.${name}; CREATE MATERIALIZED VIEW ${name}."m\n" AS SELECT 1 AS a`,
    )
    await bench.assertEqual(await bench.psql(await bench.export(id)), id)
    const custom = await bench.export(id, { format: 'custom' })
    await bench.assertEqual(await bench.pgRestore(custom, ['-j2']), id)
    const part = await bench.bench.database(`CREATE SCHEMA ${name}; CREATE DOMAIN ${name}."d\n" AS int`)
    await runClient(part, 'pg_restore', ['-e', '-n', evil, '-t', evil, custom])
    assert.deepEqual(await bench.bench.query(part, `SELECT count(*) FROM ${name}.${name}`), [['4']])
    const acl = `SELECT has_column_privilege(${text.replace('\nDROP TABLE kept;', '')}, '${name.replaceAll("'", "''")}.${name.replaceAll("'", "''")}', 'n', 'UPDATE')`
    assert.deepEqual(await bench.bench.query(part, acl), [['t']])
    assert.equal(existsSync(sign), false)
  })

  it('into a database whose settings would change what rows mean', async () => {
    const { id, source } = await backUp(
      `CREATE TABLE t (a text[], m money, i interval, d timestamptz);
       INSERT INTO t VALUES (ARRAY['a', NULL], 1234.56, '-1 day 02:03', '2020-02-03 04:05:06.789+01')`,
    )
    const target = await bench.bench.database()
    const name = target.database
    await bench.bench.query(
      target,
      `ALTER DATABASE ${name} SET array_nulls = off; ALTER DATABASE ${name} SET default_transaction_read_only = on;
       ALTER DATABASE ${name} SET datestyle = 'SQL, DMY'; ALTER DATABASE ${name} SET intervalstyle = sql_standard`,
    )
    const rows = 'SELECT a[2] IS NULL, m::numeric, extract(epoch FROM i), extract(epoch FROM d) FROM t'
    await runClient(target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', await bench.export(id)])
    assert.deepEqual(await bench.bench.query(target, rows), await bench.bench.query(source, rows))
    await bench.bench.query(target, 'BEGIN READ WRITE; DROP TABLE t; COMMIT')
    await runClient(target, 'pg_restore', ['-e', await bench.export(id, { format: 'custom' })])
    assert.deepEqual(await bench.bench.query(target, rows), await bench.bench.query(source, rows))
  })

  it('with the database itself, where it is asked for', async () => {
    const { id, source } = await backUp('CREATE TABLE t (a int)')
    await bench.bench.query(
      source,
      `ALTER DATABASE ${source.database} SET array_nulls = off; COMMENT ON DATABASE ${source.database} IS 'it''s';
       GRANT TEMPORARY ON DATABASE ${source.database} TO PUBLIC`,
    )
    const again = await bench.bench.backUp(source)
    const properties = `SELECT datcollate, datacl, shobj_description(d.oid, 'pg_database'),
      (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '${source.database}'`
    const expected = await bench.bench.query(source, properties)
    const { target } = bench.bench.server
    const script = await bench.export(again, { create: true })
    const archive = await bench.export(again, { format: 'custom' })
    await bench.bench.query(target, `DROP DATABASE ${source.database} WITH (FORCE)`)
    await runClient(target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', script])
    assert.deepEqual(await bench.bench.query(source, properties), expected)
    await bench.assertEqual(source, id)
    await bench.bench.query(target, `DROP DATABASE ${source.database} WITH (FORCE)`)
    await runClient(target, 'pg_restore', ['-e', '--create', archive])
    assert.deepEqual(await bench.bench.query(source, properties), expected)
    await bench.assertEqual(source, id)
  })

  it('but not with a database whose name psql can not connect to: nothing is written', async () => {
    const { server } = bench.bench
    const source = await bench.bench.database()
    await bench.bench.query(server.target, `ALTER DATABASE ${source.database} RENAME TO "a\nb"`)
    const id = await bench.bench.backUp(withDatabase(server.target, 'a\nb'))
    const written: unknown[] = []
    const output = new Writable({ write: (piece, _, done) => done(void written.push(piece)) })
    await assert.rejects(bench.export(id, { create: true, output }), { code: 'usage-invalid', message: /line break/ })
    assert.deepEqual(written, [])
    await bench.assertEqual(await bench.psql(await bench.export(id)), id)
  })
})
