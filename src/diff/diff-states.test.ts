import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { loadSql } from '../postgres/server/test-server.ts'
import { listBackups } from '../repository/backups/open-backup.ts'
import { TestBench } from '../restore/test-bench.ts'
import { isDifferent } from './value-diff.ts'
import { stateOfBackup, stateOfDatabase } from './database-state.ts'
import { type Diff, type DiffOptions, diffStates } from './diff-states.ts'

const shop = `
  CREATE TABLE customers (id serial PRIMARY KEY, name text);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, total numeric(10, 2));
  CREATE INDEX orders_customer ON orders (customer);
  CREATE TABLE coupons (code text); INSERT INTO coupons VALUES ('a'), ('b');
  CREATE FUNCTION tax(n numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT n * 1.19 $$;
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 100) i;
  INSERT INTO orders (customer, total) SELECT 1 + i % 100, i / 7.0 FROM generate_series(1, 1000) i;`
const day = `
  INSERT INTO orders (customer, total) VALUES (1, 1), (2, 2);
  UPDATE customers SET name = 'customer 5!' WHERE id = 5;
  DROP TABLE coupons; CREATE TABLE refunds (id int); INSERT INTO refunds VALUES (1);
  CREATE OR REPLACE FUNCTION tax(n numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT n * 1.16 $$;
  SELECT lo_create(0);`

describe('two states of a database are compared', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  async function backupState(id: string) {
    const { repository } = bench
    const backup = (await listBackups(repository)).backups.find((it) => it.id === id)
    assert.ok(backup)
    return stateOfBackup(await repository.openReader(), backup)
  }
  /** `b` is a backup or a database. */
  async function diff(a: string, b: string | ConnectionTarget, chosen: Partial<DiffOptions> = {}): Promise<Diff> {
    const options = { schemaOnly: false, tables: [], ...chosen }
    const first = await backupState(a)
    const reading = { jobs: 2, pgDump: 'auto', environment: process.env, ...options } as const
    return diffStates(
      first,
      typeof b === 'string' ? await backupState(b) : await stateOfDatabase(b, first, reading),
      options,
    )
  }
  const different = (items: readonly { readonly change: Diff['tables'][number]['change']; readonly name: string }[]) =>
    items.filter(isDifferent).map(({ change, name }) => `${change} ${name}`)
  const definitions = ({ schema }: Diff) => schema?.changes.map(({ change, title }) => `${change} ${title}`).toSorted()

  it('two backups, and the second one with the database that it was taken of', async () => {
    const target = await bench.database(shop)
    const first = await bench.backUp(target)
    await loadSql(target, day)
    const second = await bench.backUp(target)
    for (const state of [second, target]) {
      const found = await diff(first, state)
      assert.equal(found.equal, false)
      assert.deepEqual(different(found.tables), [
        'dropped coupons',
        'changed customers',
        'changed orders',
        'added refunds',
      ])
      assert.deepEqual(different(found.sequences), ['changed orders_id_seq'])
      assert.equal(found.largeObjects?.change, 'changed')
      assert.deepEqual(definitions(found), [
        'added TABLE public.refunds',
        'changed FUNCTION public.tax(numeric)',
        'dropped TABLE public.coupons',
      ])
      assert.deepEqual([different(found.extensions), different(found.properties), found.notes], [[], [], []])
    }
    for (const state of [second, target]) {
      const same = await diff(second, state)
      assert.deepEqual([same.equal, definitions(same), same.notes], [true, [], []])
      assert.deepEqual([same.tables.length, same.sequences.length, same.extensions.length], [3, 2, 1])
    }
  })

  it('a database, by a role that may only read it, and one changed byte is found', async () => {
    const target = await bench.database(`${shop} CREATE ROLE reader LOGIN PASSWORD 'reader' IN ROLE pg_read_all_data`)
    const reader = { ...target, user: 'reader', password: () => 'reader' }
    const id = await bench.backUp(reader)
    assert.equal((await diff(id, reader)).equal, true)
    await loadSql(
      target,
      `UPDATE orders SET total = total + 0.01 WHERE id = 77; ALTER DATABASE ${target.database} SET app.key = 'hush';
       ALTER DATABASE ${target.database} SET work_mem = '8MB'`,
    )
    const found = await diff(id, reader)
    assert.deepEqual(different(found.tables), ['changed orders'])
    assert.deepEqual(found.tables.find(({ name }) => name === 'orders')?.after?.rows, 1000)
    assert.deepEqual(found.properties.filter(isDifferent), [
      { name: 'setting app.key', change: 'added', before: null, after: '(value not shown)' },
      { name: 'setting work_mem', change: 'added', before: null, after: '8MB' },
    ])
  })

  it('a restored database is equal, though its rows lie in other partitions', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TABLE e (id int, m mood) PARTITION BY HASH (m);
         CREATE TABLE e0 PARTITION OF e FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE e1 PARTITION OF e FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO e SELECT i, (enum_range(NULL::mood))[1 + i % 3] FROM generate_series(1, 90) i; ${shop}`,
      ),
    )
    // oids of enum values decide where rows go
    for (const copy of ['copy_1', 'copy_2', 'copy_3']) {
      const found = await diff(id, await bench.restore(id, copy))
      assert.deepEqual([found.equal, different(found.tables), definitions(found)], [true, [], []])
    }
    const damaged = await bench.restore(id, 'copy_4')
    await loadSql(damaged, 'DELETE FROM e WHERE id = 1')
    const found = await diff(id, damaged, { tables: ['e'] })
    assert.equal(found.tables.length, 2)
    assert.equal(found.equal, false)
  })

  it('what is chosen, and the rows of nothing else are read', async () => {
    const target = await bench.database(`${shop} CREATE SCHEMA audit; CREATE TABLE audit.events AS SELECT 1 AS i`)
    const id = await bench.backUp(target, { selection: { excludeTableData: ['coupons'] } })
    await loadSql(target, `${day} INSERT INTO audit.events VALUES (2)`)
    const state = await backupState(id)
    const reading = { jobs: 2, pgDump: 'auto', environment: process.env, schemaOnly: false } as const
    const { manifest } = await stateOfDatabase(target, state, { ...reading, tables: ['orders'] })
    assert.deepEqual(manifest.tables.map(({ name }) => name).toSorted(), ['orders', 'refunds']) // one may be a new partition
    const chosen = await diff(id, target, { tables: ['orders', 'audit.*'] })
    assert.deepEqual(different(chosen.tables), ['changed events', 'changed orders'])
    assert.deepEqual([different(chosen.sequences), definitions(chosen)], [['changed orders_id_seq'], []])

    const schemaOnly = await diff(id, target, { schemaOnly: true })
    assert.deepEqual([schemaOnly.tables, schemaOnly.sequences, schemaOnly.largeObjects], [[], [], null])
    assert.equal(schemaOnly.schema?.changes.length, 3)

    await loadSql(target, 'CREATE TABLE coupons (code text)')
    const untaken = await diff(id, target, { tables: ['coupons'] })
    assert.deepEqual([untaken.equal, untaken.tables.map(({ change }) => change)], [true, ['unknown']])
    assert.match(untaken.notes.join(), /rows of public\.coupons: they were not compared/)

    for (const other of [id, target]) {
      await assert.rejects(diff(id, other, { tables: ['nothing.*'] }), (error) => hasCode(error, 'selection-empty'))
    }
  })

  it('a view that is chosen', async () => {
    const target = await bench.database('CREATE VIEW v AS SELECT 1 AS i; CREATE VIEW w AS SELECT 1 AS i')
    const id = await bench.backUp(target)
    await loadSql(target, 'CREATE OR REPLACE VIEW v AS SELECT 2 AS i; DROP VIEW w')
    assert.deepEqual(definitions(await diff(id, target, { tables: ['v'] })), ['changed VIEW public.v'])
    assert.deepEqual(definitions(await diff(id, target, { tables: ['w'] })), ['dropped VIEW public.w'])
  })

  it('definitions that other programs printed, with a note where they differ', async () => {
    const target = await bench.database(shop)
    const bundled = await bench.backUp(target, { pgDump: 'bundled' })
    await loadSql(target, 'CREATE VIEW orders_of_one AS SELECT * FROM orders WHERE customer = 1')
    assert.deepEqual((await diff(bundled, target)).notes, [])
    const found = await diff(bundled, await bench.backUp(target))
    assert.ok(definitions(found)?.includes('added VIEW public.orders_of_one'))
    assert.match(
      found.notes.join(),
      /A were printed by bundled pg_dump 18\S* from PostgreSQL 15 and those of B by installed pg_dump 15/,
    )
  })

  it('backups of rows only have no definitions to compare', async () => {
    const target = await bench.database(shop)
    const id = await bench.backUp(target, { selection: { content: 'data-only' } })
    await loadSql(target, 'ALTER TABLE coupons ADD more text; DELETE FROM orders WHERE id = 100')
    const found = await diff(id, target)
    assert.deepEqual([different(found.tables), found.schema], [['changed coupons', 'changed orders'], null])
    assert.match(found.notes.join(), /definitions were not compared: A holds rows only/)
    await assert.rejects(diff(id, id, { schemaOnly: true }), (error) => hasCode(error, 'usage-invalid'))
  })
})
