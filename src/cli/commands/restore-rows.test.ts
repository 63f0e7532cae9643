import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import type { Row } from '../../postgres/wire/connection.ts'
import { TestHost, assertFailed, until } from './test-host.ts'

const restoredRowsDocument = z.strictObject({
  backup: z.ulid(),
  target: z.string(),
  tables: z.array(
    z.strictObject({
      from: z.strictObject({ schema: z.string(), name: z.string() }),
      into: z.strictObject({ schema: z.string(), name: z.string() }),
      rows: z.int(),
    }),
  ),
  notes: z.array(z.string()),
  durationMs: z.int(),
})

/** Its rows can not be loaded while somebody holds the lock. */
const shop = `
  CREATE FUNCTION waits(int) RETURNS bool LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock_shared(7) IS NOT NULL $$;
  CREATE TABLE customers (id serial PRIMARY KEY, name text);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, total numeric(10, 2), CHECK (waits(id)));
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 10) i;
  INSERT INTO orders (customer, total) SELECT 1 + i % 10, i FROM generate_series(1, 100) i`

describe('restore of rows beside the live ones', { timeout: 300_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(withDatabase(server.target, 'shop'), shop)
    await host.succeed('init')
    await writeFile(host.path('pgrevive.yaml'), 'databases:\n  shop:\n    url: postgres:///shop\n')
    await host.backUp('shop')
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function query(sql: string): Promise<Row[]> {
    await using connection = await server.connect('shop')
    return await connection.query(sql)
  }

  it('brings them into the configured database, and says what the new table lacks', async () => {
    await query('DELETE FROM orders WHERE id <= 50')
    const args = ['restore', 'latest', '--table', 'public.orders'] as const
    const { tables } = await host.document(restoredRowsDocument, ...args, '--into-schema', 'restored_20261122')
    const into = { schema: 'restored_20261122', name: 'orders' }
    assert.deepEqual(tables, [{ from: { schema: 'public', name: 'orders' }, into, rows: 100 }])
    const said = await host.succeed(
      ...args,
      '--as',
      'orders_restored',
      '--where',
      'id <= 50',
      '--to',
      'postgres:///shop',
    )
    assert.match(
      said,
      /^restored 1 table of shop into \S+\/shop in .*\n  public\.orders  → public\.orders_restored  50 rows\n/,
    )
    assert.match(
      said,
      /note: public\.orders_restored has no default for id: the sequence stays with public\.orders alone/,
    )
    assert.match(said, /note: public\.orders_restored is without foreign key orders_customer_fkey/)
    await query(
      'INSERT INTO orders SELECT * FROM orders_restored; DROP TABLE orders_restored; DROP SCHEMA restored_20261122 CASCADE',
    )
    assert.deepEqual(await query('SELECT count(*) FROM orders'), [['100']])
  })

  it('takes a name of pgrevive.yaml for what it stands for, whatever the database is called', async () => {
    await writeFile(host.path('other.yaml'), 'databases:\n  desk:\n    url: postgres:///shop\n')
    const words = ['restore', 'latest:shop', '--to', 'desk', '--table', 'public.orders'] as const
    await host.succeed('--config', host.path('other.yaml'), ...words, '--as', 'desk_orders')
    assert.deepEqual(await query('SELECT count(*) FROM desk_orders'), [['100']])
    await host.succeed('--config', host.path('other.yaml'), ...words, '--diff')
    await query('DROP TABLE desk_orders')
  })

  it('refuses a name that is taken, and options that mean nothing', async () => {
    const args = ['restore', 'latest', '--table', 'orders'] as const
    assertFailed(await host.run(...args, '--as', 'customers', '--json'), 'target-exists', {
      hint: /nothing was changed/,
    })
    for (const [more, message] of [
      [['--as', 'x', '--into-schema', 'y'], /exclude each other/],
      [['--as', 'x', '--jobs', '2'], /^--jobs does not go with --into-schema or --as$/],
      [['--as', 'é'.repeat(32)], /^the name é+ has 64 bytes, and PostgreSQL keeps 63$/],
      [['--as', 'pg_catalog.x'], /^the schema pg_catalog is PostgreSQL's own$/],
      [['--into-schema', 'information_schema'], /^the schema information_schema is PostgreSQL's own$/],
      [['--as', 'a.b.c'], /^--as must be NAME or SCHEMA\.NAME/],
      [['--to', 'x', '--where', 'true'], /^--where goes with --into-schema or --as only$/],
      [[], /^--to must be given$/],
    ] as const) {
      assertFailed(await host.run(...args, ...more, '--json'), 'usage-invalid', { message })
    }
    assertFailed(await host.run('restore', 'latest', '--as', 'x', '--json'), 'usage-invalid', {
      message: /^--table must be given$/,
    })
    await using elsewhere = await TestHost.create(server)
    await elsewhere.succeed('init')
    await elsewhere.backUp('postgres:///shop')
    assertFailed(await elsewhere.run(...args, '--as', 'x', '--json'), 'usage-invalid', { hint: /with --to/ })
  })

  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    it(`leaves nothing behind after a ${signal} in the middle`, async () => {
      await using holding = await server.connect('shop')
      await holding.execute('SELECT pg_advisory_lock(7)')
      const run = await host.start('restore', 'latest', '--table', '*', '--into-schema', 'never', '--json')
      const [process = ''] = await until(async () => {
        const [row] = await query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'")
        return row
      })
      run.child.kill(signal)
      const ended = await run.ended
      if (signal === 'SIGINT') assertFailed(ended, 'interrupted')
      await holding.execute('SELECT pg_advisory_unlock(7)')
      await until(async () => (await query(`SELECT FROM pg_stat_activity WHERE pid = ${process}`)).length === 0)
      assert.deepEqual(await query("SELECT FROM pg_namespace WHERE nspname = 'never'"), [])
      assert.deepEqual(await query('SELECT count(*) FROM orders'), [['100']])
    })
  }
})
