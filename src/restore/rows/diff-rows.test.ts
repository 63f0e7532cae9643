import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type AppError, type ErrorCode, hasCode } from '../../core/app-error.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { TestBench } from '../test-bench.ts'
import { type DiffRowsOptions, diffRows } from './diff-rows.ts'

describe('rows of a backup are compared with the live ones', { timeout: 300_000 }, () => {
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

  /** `missing`, `changed` and `extra` rows of the only table. */
  async function counts(...args: Parameters<typeof diff>): Promise<number[]> {
    const { tables } = await diff(...args)
    assert.equal(tables.length, 1)
    return tables.flatMap(({ missing, changed, extra }) => [missing, changed, extra])
  }

  async function refused(code: ErrorCode, message: RegExp, ...args: Parameters<typeof diff>): Promise<AppError> {
    const error: unknown = await diff(...args).catch((it: unknown) => it)
    assert.ok(hasCode(error, code), String(error))
    assert.match(error.message, message)
    return error
  }

  it('exactly: by the text of every value, and rows by what the key takes for equal', async () => {
    const target = await bench.database(
      `CREATE EXTENSION citext; CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN word AS text CHECK (value <> 'never'); CREATE TYPE pair AS (a int, b text);
       CREATE TABLE "we""ird '; DROP" (c citext, n numeric, t text COLLATE blind, "a b" word, PRIMARY KEY (n, c, t, "a b"),
         f float8, nn numeric, v text, list numeric[], j jsonb, js json, x xml, p point, by bytea, ch char(5), i inet, m mood, co pair,
         b bit(3), iv interval, ts timestamptz, r numrange, g numeric GENERATED ALWAYS AS (nn * 2) STORED, id int GENERATED ALWAYS AS IDENTITY);
       INSERT INTO "we""ird '; DROP" (c, n, t, "a b", f, nn, v, list, j, js, x, p, by, ch, i, m, co, b, iv, ts, r)
       SELECT 'Key' || i, 1.0, 'T', E'tab\\t\\\\', 0.1, 1.0, NULL, '{1.0,NULL}', '{"a": 1.0}', '{"a":1}', '<a/>', '(1,2)', '\\x00ff', 'ab', '10.0.0.1', 'a',
         '(1,)', B'101', '1 mon', '2025-01-01 00:00+00', '[1.0,2)' FROM generate_series(1, 30) i`,
    )
    const id = await bench.backUp(target)
    assert.deepEqual(await counts(id, target), [0, 0, 0])
    const changes = {
      v: `''`,
      f: '-0.0',
      nn: '1.00',
      list: `'{1.00,NULL}'`,
      j: `'{"a": 1.00}'`,
      js: `'{"a": 1}'`,
      x: `'<a></a>'`,
      p: `'(1,2.5)'`,
      by: `'\\x00fe'`,
      ch: `'abc'`,
      i: `'10.0.0.1/24'`,
      m: `'b'`,
      co: `'(1,"")'`,
      b: `B'100'`,
      iv: `'30 days'`,
      ts: `'2025-01-01 00:00:00.1+00'`,
      r: `'[1.00,2)'`,
      c: `'KEY18'`,
      n: '1.00',
      t: `'t'`,
    }
    for (const [index, [column, value]] of Object.entries(changes).entries()) {
      await bench.query(target, `UPDATE "we""ird '; DROP" SET ${column} = ${value} WHERE c = 'key${index + 1}'`)
    }
    await bench.query(
      target,
      `UPDATE "we""ird '; DROP" SET v = NULL, f = 0.1 WHERE c = 'key30'; DELETE FROM "we""ird '; DROP" WHERE c = 'key29'`,
    )
    const {
      tables: [found],
    } = await diff(id, target, { tables: [`"we""ird '; DROP"`] })
    assert.ok(found)
    const { missing, changed, extra, equal, differences } = found
    assert.deepEqual([equal, missing, changed, extra], [30 - 1 - 20, 1, 20, 0])
    const told = differences.flatMap((it) => it.changes.map((change) => change.column))
    assert.deepEqual(told.toSorted(), Object.keys(changes).toSorted())
    const one = differences.find(({ changes: [change] }) => change?.column === 'nn')
    assert.deepEqual(one, {
      kind: 'changed',
      key: { n: '1.0', c: 'Key3', t: 'T', 'a b': 'tab\t\\' },
      changes: [{ column: 'nn', before: '1.0', after: '1.00' }],
    })
    await diff(id, target, { apply: 'missing' })
    assert.deepEqual(await counts(id, target), [0, 20, 0])
    await bench.query(target, `TRUNCATE "we""ird '; DROP"`)
    const {
      tables: [filled],
    } = await diff(id, target, { apply: 'missing' })
    assert.equal(filled?.inserted, 30)
    assert.deepEqual(await counts(id, target), [0, 0, 0])
  })

  it('columns that only one side has are told and left aside', async () => {
    const target = await bench.database(
      "CREATE TABLE t (id int PRIMARY KEY, gone text, kept text, moved int); INSERT INTO t VALUES (1, 'x', 'y', 1), (2, 'x', 'y', 2), (3, 'x', 'y', 3)",
    )
    const id = await bench.backUp(target)
    await bench.query(
      target,
      `ALTER TABLE t DROP gone, DROP moved, ADD late int NOT NULL DEFAULT 7, ADD moved bigint, ALTER id TYPE bigint,
         ADD double bigint GENERATED ALWAYS AS (moved * 2) STORED; UPDATE t SET moved = id; DELETE FROM t WHERE id = 2`,
    )
    const {
      tables: [found],
      notes,
    } = await diff(id, target, { apply: 'missing' })
    assert.deepEqual(
      [found?.columns, found?.onlyInBackup, found?.onlyLive, found?.missing, found?.changed],
      [['id', 'kept', 'moved'], ['gone'], ['late', 'double'], 1, 0],
    )
    assert.match(notes.join('\n'), /no such column: gone\n[^]*no such column: late\n[^]*generated: double/)
    assert.deepEqual(await bench.query(target, 'SELECT * FROM t WHERE id = 2'), [['2', 'y', '7', '2', '4']])
  })

  it('a column that holds less now is no reason to take rounded values for equal', async () => {
    const target = await bench.database(
      "CREATE TABLE t (id numeric(6, 2) PRIMARY KEY, n numeric(6, 3), v varchar(9), c char(6), b bit(4)); INSERT INTO t VALUES (1.25, 1.25, 'long', 'ab', B'1010'), (1.26, 1.5, 'x', 'c', B'1111')",
    )
    const id = await bench.backUp(target)
    await bench.query(
      target,
      'ALTER TABLE t ALTER n TYPE numeric(6, 1), ALTER v TYPE varchar(2) USING left(v, 2), ALTER c TYPE char(3), ALTER b TYPE varbit',
    )
    const {
      tables: [found],
    } = await diff(id, target)
    assert.deepEqual(
      found?.differences.map(({ changes }) => changes.map(({ column, before, after }) => [column, before, after])),
      [
        [
          ['n', '1.250', '1.3'],
          ['v', 'long', 'lo'],
          ['c', 'ab    ', 'ab '],
        ],
        [
          ['n', '1.500', '1.5'],
          ['c', 'c     ', 'c  '],
        ],
      ],
    )
    await bench.query(target, 'DELETE FROM t WHERE id = 1.25')
    await refused('restore-failed', /^nothing was inserted: n of .* rounded/, id, target, { apply: 'missing' })
    await bench.query(target, 'ALTER TABLE t ALTER n TYPE numeric(6, 3)')
    await refused('restore-failed', /^nothing was inserted: value too long/, id, target, { apply: 'missing' })
  })

  it('partitioned tables as a whole, and tables of one session in the order of their foreign keys', async () => {
    const target = await bench.database(
      `CREATE TABLE b_parent (id serial PRIMARY KEY);
       CREATE TABLE a_child (id serial, at date, parent int REFERENCES b_parent ON DELETE CASCADE, up int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
       CREATE TABLE a_25 (up int, at date NOT NULL, parent int, id int NOT NULL); ALTER TABLE a_child ATTACH PARTITION a_25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
       CREATE TABLE a_rest PARTITION OF a_child DEFAULT;
       CREATE TABLE log (what text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
       CREATE TRIGGER noted AFTER INSERT ON a_child FOR EACH ROW EXECUTE FUNCTION note();
       INSERT INTO b_parent SELECT FROM generate_series(1, 10);
       INSERT INTO a_child (at, parent) SELECT date '2025-12-01' + i, 1 + i % 10 FROM generate_series(1, 100) i; TRUNCATE log`,
    )
    const id = await bench.backUp(target)
    await bench.query(target, 'DELETE FROM b_parent WHERE id IN (3, 4)')
    const alone = await refused('restore-failed', /^nothing was inserted: .*foreign key/, id, target, {
      tables: ['a_child'],
      apply: 'missing',
    })
    assert.match(alone.hint ?? '', /another --table/)
    const compared: (number | undefined)[] = []
    const { tables, notes } = await diff(id, target, {
      tables: ['a_*', 'b_parent'],
      apply: 'missing',
      onProgress: ({ phase, done }) => void (phase === 'comparison' && compared.push(done)),
    })
    assert.deepEqual(compared, [0, 1, 1, 2])
    assert.deepEqual(
      tables
        .map(({ table, missing, inserted }) => [table.name, missing, inserted])
        .toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
      [
        ['a_child', 20, 20],
        ['b_parent', 2, 2],
      ],
    )
    assert.match(notes.join('\n'), /public\.a_child: inserting missing rows fires its triggers: noted/)
    assert.deepEqual(await bench.query(target, 'SELECT count(*) FROM log'), [['20']]) // with a search_path as ever
    assert.deepEqual(await bench.query(target, 'SELECT last_value FROM a_child_id_seq'), [['100']])
    const after = await diff(id, target, { tables: ['a_child', 'b_parent'] })
    assert.deepEqual(
      after.tables.map(({ missing, changed, extra }) => missing + changed + extra),
      [0, 0],
    )
  })

  it('what takes a place in another unique index is passed over, and a sequence that stands too low is told', async () => {
    const target = await bench.database(
      `CREATE TABLE t (id serial PRIMARY KEY, code text UNIQUE); INSERT INTO t (code) SELECT 'c' || i FROM generate_series(1, 10) i`,
    )
    const id = await bench.backUp(target)
    await bench.query(
      target,
      "TRUNCATE t RESTART IDENTITY; INSERT INTO t VALUES (100, 'c3'); SELECT setval('t_id_seq', 2)",
    )
    const { tables, notes } = await diff(id, target, { apply: 'missing' })
    assert.deepEqual(
      tables.map(({ missing, inserted, extra }) => [missing, inserted, extra]),
      [[10, 9, 1]],
    )
    assert.match(
      notes.join('\n'),
      /sequence public\.t_id_seq stands at 2, and the highest id is 100[^]*of 10 missing rows 9 were inserted/,
    )
    assert.deepEqual(await bench.query(target, 'SELECT last_value FROM t_id_seq'), [['2']])
  })

  it('by columns that are named, where there is no primary key', async () => {
    const target = await bench.database(
      "CREATE TABLE t (a int, \"B\" text, c int); INSERT INTO t VALUES (1, 'x', 1), (1, 'y', 2), (2, 'x', 3)",
    )
    const id = await bench.backUp(target)
    const { hint } = await refused('usage-invalid', /no primary key/, id, target)
    assert.match(hint ?? '', /--key a,b/)
    await refused('usage-invalid', /not told apart by a/, id, target, { key: ['a'] })
    await refused('usage-invalid', /key column d of public\.t is not in the live table/, id, target, { key: ['d'] })
    await bench.query(
      target,
      "DELETE FROM t WHERE c = 2; UPDATE t SET c = 4 WHERE c = 3; INSERT INTO t VALUES (3, 'z', 5)",
    )
    assert.deepEqual(await counts(id, target, { key: ['a', 'B'] }), [1, 1, 1])
    await bench.query(target, "INSERT INTO t VALUES (3, 'z', 6)")
    await refused('usage-invalid', /live rows .* not told apart by a, B/, id, target, { key: ['a', 'B'] })
  })

  it('says why it can not, where the live table is gone or has other types', async () => {
    const target = await bench.database(
      "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, m mood); INSERT INTO t VALUES (1, 'b'); CREATE TABLE u (id int PRIMARY KEY)",
    )
    const id = await bench.backUp(target, { selection: { excludeTableData: ['u'] } })
    await refused('usage-invalid', /holds no rows of public\.u/, id, target, { tables: ['u'] })
    await refused('selection-empty', /matches/, id, target, { tables: ['nothing'] })
    await bench.query(
      target,
      "DROP TABLE t; DROP TYPE mood; CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (id int PRIMARY KEY, m mood)",
    )
    await refused('restore-failed', /invalid input value for enum/, id, target, { tables: ['t'] })
    await bench.query(target, 'DROP TABLE t')
    const { hint } = await refused('selection-empty', /has no table public\.t/, id, target, { tables: ['t'] })
    assert.match(hint ?? '', /--into-schema or --as/)
  })

  it('as a role that may read and create temporary tables, and insert if that is asked for', async () => {
    const target = await bench.database(
      `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 10) i;
       CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON t TO reader`,
    )
    const id = await bench.backUp(target)
    await bench.query(target, 'DELETE FROM t WHERE id < 3')
    const reader = { ...target, user: 'reader', password: () => 'reader' }
    assert.deepEqual(await counts(id, reader), [2, 0, 0])
    const { hint } = await refused('permission-denied', /^nothing was inserted/, id, reader, { apply: 'missing' })
    assert.match(hint ?? '', /GRANT INSERT/)
    await bench.query(target, 'GRANT INSERT ON t TO reader; ALTER ROLE reader SET default_transaction_read_only = on')
    await diff(id, reader, { apply: 'missing' })
    assert.deepEqual(await counts(id, reader), [0, 0, 0])
    await bench.query(target, `REVOKE TEMPORARY ON DATABASE ${target.database} FROM PUBLIC`)
    assert.match((await refused('permission-denied', /temporary/, id, reader)).hint ?? '', /GRANT TEMPORARY/)
    await bench.query(
      target,
      `GRANT TEMPORARY ON DATABASE ${target.database} TO PUBLIC; ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
    )
    await refused('permission-denied', /row-level security/, id, reader)
  })

  it('in the encoding of the database, and by bytes where it has none', async () => {
    for (const encoding of ['LATIN1', 'SQL_ASCII']) {
      const target = await bench.database(
        `CREATE TABLE "sch\u00f6n" ("gr\u00f6\u00dfe" text PRIMARY KEY, v text); INSERT INTO "sch\u00f6n" VALUES ('\u00e9', 'a'), ('\u00e8', 'b'), ('x', '\u00e4')`,
        { encoding },
      )
      const id = await bench.backUp(target)
      await bench.query(
        target,
        `DELETE FROM "sch\u00f6n" WHERE v = 'a'; UPDATE "sch\u00f6n" SET v = '\u00fc' WHERE v = '\u00e4'`,
      )
      assert.deepEqual(await counts(id, target, { apply: 'missing' }), [1, 1, 0])
      assert.deepEqual(await counts(id, target), [0, 1, 0])
      assert.deepEqual(await bench.query(target, `SELECT "gr\u00f6\u00dfe" FROM "sch\u00f6n" WHERE v = 'a'`), [
        ['\u00e9'],
      ])
    }
  })

  it('of a configuration table of an extension those that a backup takes', async () => {
    const target = await bench.database(
      `CREATE EXTENSION citext; CREATE TABLE setting (name text PRIMARY KEY, own bool); INSERT INTO setting VALUES ('built in', false), ('own', true);
       ALTER EXTENSION citext ADD TABLE setting;
       UPDATE pg_extension SET extconfig = ARRAY['setting'::regclass::oid], extcondition = ARRAY['WHERE own'] WHERE extname = 'citext'`,
    )
    const id = await bench.backUp(target)
    await bench.query(
      target,
      "DELETE FROM setting WHERE own; INSERT INTO setting VALUES ('built in, too', false), ('later', true)",
    )
    assert.deepEqual(await counts(id, target, { apply: 'missing' }), [1, 0, 1])
    assert.deepEqual(await counts(id, target), [0, 0, 1])
  })
})
