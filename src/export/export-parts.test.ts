import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { runClient } from '../postgres/server/test-server.ts'
import { ExportBench } from './test-export.ts'

const contents = `
  CREATE ROLE keeper; CREATE ROLE reader;
  CREATE SCHEMA shop; CREATE TYPE shop.state AS ENUM ('new', 'paid');
  CREATE TABLE shop.customers (id serial PRIMARY KEY, name text NOT NULL);
  CREATE TABLE shop.orders (id serial PRIMARY KEY, customer int REFERENCES shop.customers, state shop.state);
  CREATE TABLE public.orders (elsewhere int);
  INSERT INTO shop.customers (name) SELECT 'customer ' || i FROM generate_series(1, 50) i;
  INSERT INTO shop.orders (customer, state) SELECT 1 + i % 50, 'paid' FROM generate_series(1, 500) i;
  CREATE INDEX orders_customer ON shop.orders (customer); COMMENT ON TABLE shop.orders IS 'what was bought';
  CREATE VIEW shop.paid AS SELECT o.id, c.name FROM shop.orders o JOIN shop.customers c ON c.id = o.customer;
  CREATE FUNCTION shop.buyers() RETURNS SETOF shop.customers LANGUAGE sql AS 'SELECT * FROM shop.customers';
  CREATE MATERIALIZED VIEW shop.sums AS SELECT state, count(*) AS n FROM shop.orders GROUP BY 1;
  CREATE MATERIALIZED VIEW shop.names AS SELECT name FROM shop.customers;
  CREATE VIEW shop."Who's" AS SELECT c.id, c.name, count(*) FROM shop.customers c GROUP BY c.id;
  ALTER TABLE shop.orders OWNER TO keeper; GRANT SELECT ON shop.orders TO reader; GRANT UPDATE (state) ON shop.orders TO reader;
  SELECT lo_from_bytea(42, 'large'); GRANT SELECT ON LARGE OBJECT 42 TO reader; COMMENT ON LARGE OBJECT 42 IS 'large'`

describe('a part of a backup', { timeout: 300_000 }, () => {
  let bench: ExportBench
  let source: ConnectionTarget
  let id: string
  let custom: string
  before(async () => {
    bench = await ExportBench.start()
    source = await bench.bench.database(contents)
    id = await bench.bench.backUp(source)
    custom = await bench.export(id, { format: 'custom' })
  })
  after(() => bench[Symbol.asyncDispose]())

  const query = (target: ConnectionTarget, sql: string) => bench.bench.query(target, sql)
  async function assertSame(target: ConnectionTarget, sql: string): Promise<void> {
    assert.deepEqual(await query(target, sql), await query(source, sql))
  }
  const orders = 'SELECT count(*), sum(id), min(state) FROM shop.orders'
  const rights = `SELECT relowner::regrole, relacl, attacl, obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attname = 'state' WHERE c.oid = 'shop.orders'::regclass`

  it('comes out of an archive: one table, with its owner, privileges and comment', async () => {
    const target = await bench.bench.database("CREATE SCHEMA shop; CREATE TYPE shop.state AS ENUM ('new', 'paid')")
    await runClient(target, 'pg_restore', ['-e', '-n', 'shop', '-t', 'orders', custom])
    await assertSame(target, orders)
    await assertSame(target, rights)
    assert.deepEqual(await query(target, "SELECT count(*) FROM pg_class WHERE relname = 'orders'"), [['1']])
  })

  it('comes out of an archive: section by section', async () => {
    const target = await bench.bench.database()
    for (const section of ['pre-data', 'data', 'post-data']) {
      await runClient(target, 'pg_restore', ['-e', `--section=${section}`, custom])
    }
    await bench.assertEqual(target, id)
  })

  it('comes out of an archive: without owners and privileges, or in the place of what is there', async () => {
    const target = await bench.pgRestore(custom, ['-O', '-x'])
    assert.deepEqual(
      await query(target, "SELECT relowner::regrole, relacl FROM pg_class WHERE oid = 'shop.orders'::regclass"),
      [['postgres', null]],
    )
    await runClient(target, 'pg_restore', ['-e', '--clean', '--if-exists', custom])
    await bench.assertEqual(target, id)
  })

  it('is exported: one table with all that hangs on it, though other objects of the schema can not come along', async () => {
    const choices = { tables: ['shop.orders'] }
    for (const format of ['plain', 'custom'] as const) {
      const { path, outcome } = await bench.exportWithOutcome(id, { choices, format })
      assert.match(outcome.notes.join(), /orders_customer_fkey is left out: shop\.customers is not restored/)
      const target = format === 'plain' ? await bench.psql(path) : await bench.pgRestore(path, ['-j2'])
      await assertSame(target, orders)
      await assertSame(target, rights)
      await assertSame(
        target,
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'orders' AND schemaname = 'shop' ORDER BY 1",
      )
      await assertSame(target, "SELECT nextval('shop.orders_id_seq') BETWEEN 501 AND 599")
      const relations =
        "SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v', 'm') ORDER BY 1"
      assert.deepEqual(await query(target, relations), [['orders']])
      assert.deepEqual(await query(target, 'SELECT count(*) FROM pg_largeobject_metadata'), [['0']])
    }
  })

  it('is exported: views without what they read, which is named; they come where that is there', async () => {
    const choices = { tables: ['shop.paid', 'shop.sums', 'shop."Who\'s"'] }
    const absent = 'reads what is not exported, and is left out where that is missing'
    for (const format of ['plain', 'custom'] as const) {
      const { path, outcome } = await bench.exportWithOutcome(id, { choices, format })
      assert.deepEqual(outcome.notes, [
        `view shop.paid ${absent}: shop.orders, shop.customers`,
        `view shop.sums ${absent}: shop.orders`,
        `view shop.Who's ${absent}: shop.customers`,
      ])
      if (format === 'plain') {
        const alone = await bench.psql(path)
        assert.deepEqual(await query(alone, "SELECT count(*) FROM pg_views WHERE schemaname = 'shop'"), [['0']])
      }
      const tables = await bench.export(id, { choices: { tables: ['shop.orders', 'shop.customers'] } })
      const target = await bench.psql(tables)
      if (format === 'plain')
        await runClient(target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', path])
      else await runClient(target, 'pg_restore', ['-e', path])
      for (const view of ['paid', 'sums', '"Who\'s"']) await assertSame(target, `SELECT count(*) FROM shop.${view}`)
    }
  })

  it('is exported: a schema', async () => {
    const target = await bench.psql(await bench.export(id, { choices: { schemas: ['shop'] } }))
    for (const table of ['customers', 'orders', 'paid', 'sums', 'names'])
      await assertSame(target, `SELECT count(*) FROM shop.${table}`)
    assert.deepEqual(await query(target, "SELECT to_regclass('public.orders')"), [[null]])
  })

  it('is exported: definitions, and rows for tables that are there', async () => {
    const target = await bench.psql(await bench.export(id, { choices: { content: 'schema-only' } }))
    assert.deepEqual(await query(target, 'SELECT count(*) FROM shop.orders'), [['0']])
    const rows = await bench.export(id, { choices: { content: 'data-only' } })
    assert.doesNotMatch(await readFile(rows, 'utf8'), /^CREATE/m)
    await runClient(target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', rows])
    await query(target, 'REFRESH MATERIALIZED VIEW shop.sums; REFRESH MATERIALIZED VIEW shop.names')
    await bench.assertEqual(target, id)
    await query(target, 'TRUNCATE shop.orders, shop.customers; SELECT lo_unlink(42)')
    const archive = await bench.export(id, { format: 'custom', choices: { content: 'data-only' } })
    assert.deepEqual(
      (await bench.list(archive)).filter((line) => !/^(TABLE DATA|SEQUENCE SET|BLOB|ACL|COMMENT)/.test(line)),
      [],
    )
    await runClient(target, 'pg_restore', ['-e', '--data-only', '--disable-triggers', archive])
    await bench.assertEqual(target, id)
  })

  it('is exported for other roles, or for whoever brings it back', async () => {
    const roleMap = new Map([['keeper', 'reader']])
    const mapped = await bench.psql(await bench.export(id, { choices: { roleMap, noPrivileges: true } }))
    const owner = "SELECT relowner::regrole, relacl FROM pg_class WHERE oid = 'shop.orders'::regclass"
    assert.deepEqual(await query(mapped, owner), [['reader', null]])
    const { path, outcome } = await bench.exportWithOutcome(id, {
      format: 'custom',
      choices: { noOwner: true, noPrivileges: true },
    })
    assert.deepEqual(outcome.roles, [])
    assert.deepEqual(await query(await bench.pgRestore(path), owner), [['postgres', null]])
  })

  it('does not exist: an error, and nothing is written', async () => {
    await assert.rejects(bench.export(id, { choices: { tables: ['nothing'] } }), { code: 'selection-empty' })
  })
})
