import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { z } from 'zod'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed } from './test-host.ts'

const shop = `
  CREATE TABLE customers (id serial PRIMARY KEY, name text);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int, total numeric(10, 2));
  CREATE TABLE coupons (code text); INSERT INTO coupons VALUES ('a'), ('b');
  CREATE FUNCTION tax(n numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT n * 1.19 $$;
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 100) i;
  INSERT INTO orders (customer, total) SELECT 1 + i % 100, i / 7.0 FROM generate_series(1, 1000) i`
const day = `
  INSERT INTO orders (customer, total) VALUES (1, 1), (2, 2);
  UPDATE customers SET name = 'customer X' WHERE id = 50;
  DROP TABLE coupons; CREATE TABLE refunds (id int); INSERT INTO refunds VALUES (1);
  CREATE OR REPLACE FUNCTION tax(n numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT n * 1.16 $$`

describe('diff', { timeout: 600_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await host.succeed('init')
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await load('shop', shop)
    await loadSql(server.target, "CREATE ROLE reader LOGIN PASSWORD 's3cr3t' IN ROLE pg_read_all_data")
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function load(database: string, sql: string): Promise<void> {
    await loadSql(withDatabase(server.target, database), sql)
  }

  it('tells people and machines what differs, and scripts by its exit code', async () => {
    const { id } = await host.backUp('postgres:///shop')
    const url = `postgres://reader:s3cr3t@/shop?host=${encodeURIComponent(server.target.hosts[0]?.host ?? '')}`
    assert.match(await host.succeed('diff', id, url), /^equal: 3 tables, 1,102 rows, .* 2 sequences, .* definitions$/m)
    await load('shop', day)
    const { stdout, stderr, exitCode } = await host.run('diff', id.slice(0, 25), url)
    assert.equal(exitCode, 9)
    assert.doesNotMatch(stdout + stderr, /s3cr3t/)
    for (const line of [
      new RegExp(`^A +backup ${id} of shop, `, 'm'),
      /^B +live reader@\S+\/shop, /m,
      /^different: 4 of 4 tables, 1 of 2 sequences, 3 of \d+ definitions$/m,
      /^1,102 → 1,103 rows, 14\.5 kB → \d/m,
      /^~ +table public\.customers +100 rows, other contents +1\.5 kB$/m,
      /^~ +table public\.orders +1,000 rows → 1,002 rows +13\.0 kB → /m,
      /^- +table public\.coupons +2 rows +4 B$/m,
      /^\+ +table public\.refunds +1 row +2 B$/m,
      /^~ +sequence public\.orders_id_seq +1000 → 1002$/m,
      /^ {3}-.*1\.19[^]*^ {3}\+.*1\.16/m,
      /^ {3}\+CREATE TABLE public\.refunds \($/m,
    ]) {
      assert.match(stdout, line)
    }
    const next = await host.backUp('postgres:///shop')
    const ended = await host.with({ PGHOST: '/nowhere' }).run('diff', id, 'latest:shop', '--json')
    const document = z
      .looseObject({
        a: z.looseObject({ backup: z.literal(id) }),
        b: z.looseObject({ backup: z.literal(next.id) }),
        equal: z.literal(false),
        tables: z.array(z.looseObject({ name: z.string(), change: z.string() })),
        schema: z.object({ entries: z.int(), changes: z.array(z.unknown()) }),
        error: z.undefined().optional(),
      })
      .parse(JSON.parse(ended.stdout))
    assert.deepEqual(
      document.tables.map(({ name, change }) => `${change} ${name}`),
      ['dropped coupons', 'changed customers', 'changed orders', 'added refunds'],
    )
    assert.deepEqual([ended.stderr, ended.exitCode, document.schema.changes.length], ['', 9, 3])
  })

  it('takes the live database from pgrevive.yaml', async () => {
    await loadSql(server.target, 'CREATE DATABASE empty TEMPLATE template0')
    await writeFile(
      host.path('pgrevive.yaml'),
      'databases:\n  sales:\n    url: postgres://reader@/shop\n    password_env: READER\n  empty:\n    url: dbname=empty\n',
    )
    const reading = host.with({ READER: 's3cr3t' })
    await reading.backUp('sales')
    await reading.succeed('diff', 'latest:sales', 'live')
    assert.match((await reading.run('diff', 'latest:sales', 'live:empty')).stdout, /^- +table public\.orders/m)
    assertFailed(await reading.run('diff', 'latest', 'sales', '--json'), 'backup-unknown', {
      hint: /"live:sales" is the database .* "latest:sales" /,
    })
    await rm(host.path('pgrevive.yaml'))
  })

  it('shows neither control characters of names nor passwords in definitions', async () => {
    const name = 'a\u001b[2J\n"\u202e\ttable; Type: VIEW; Schema: x'
    const table = quoteIdentifier(name)
    await loadSql(server.target, `CREATE DATABASE ${quoteIdentifier('odd\u001b[0m')} TEMPLATE template0`)
    await load(
      'odd\u001b[0m',
      `CREATE TABLE ${table} (${table} int);
       CREATE SUBSCRIPTION s CONNECTION 'host=nowhere password=s3cr3t' PUBLICATION p WITH (connect = false)`,
    )
    await host.backUp('dbname=odd\u001b[0m')
    await load(
      'odd\u001b[0m',
      `INSERT INTO ${table} VALUES (1); CREATE INDEX ON ${table} (${table}); COMMENT ON TABLE ${table} IS E'\\u001b[31m\\r\\n';
       ALTER SUBSCRIPTION s CONNECTION 'host=elsewhere password=''t0p s3cr3t'' user=ann'`,
    )
    const { stdout, exitCode } = await host.run('diff', 'latest', 'dbname=odd\u001b[0m')
    assert.equal(exitCode, 9)
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    assert.doesNotMatch(stdout, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
    assert.match(
      stdout,
      /^~ +table public\.a\\x1b\[2J\\x0a"\\u\{202e\}\\x09table; Type: VIEW; Schema: x +0 rows → 1 row/m,
    )
    assert.match(stdout, /host=elsewhere/)
    const json = await host.run('diff', 'latest', 'dbname=odd\u001b[0m', '--json')
    assert.doesNotMatch(stdout + json.stdout, /s3cr3t|t0p/)
  })

  it('says what helps a role that may not read a table, in words that are true of a diff', async () => {
    await load('shop', "CREATE ROLE intern LOGIN PASSWORD 'intern'")
    await host.backUp('postgres:///shop')
    const intern = host.with({ PGUSER: 'intern', PGPASSWORD: 'intern' })
    assertFailed(await intern.run('diff', 'latest', 'postgres:///shop', '--json'), 'permission-denied', {
      hint: /^GRANT pg_read_all_data .* out of backups with --exclude-table/,
    })
  })

  it('compares rows where the key may not read definitions, and says so', async () => {
    await using writer = await TestHost.create(server)
    await writer.succeed('init', '--recipient', await identityToRecipient(await generateX25519Identity()))
    const { id } = await writer.backUp('postgres:///shop')
    assert.match(await writer.succeed('diff', id, 'latest'), /^equal: [^]*^note: .* the key may not read those of A$/m)
    assertFailed(await writer.run('diff', 'latest', 'latest', '--schema-only', '--json'), 'key-cannot-read')
  })

  it('refuses what names no backup and no database', async () => {
    assertFailed(await host.run('diff', 'latest', 'live', '--json'), 'usage-invalid', { hint: /live:DATABASE/ })
    assertFailed(await host.run('diff', 'latest', 'postgers://ann:s3cr3t@host/x', '--json'), 'usage-invalid', {
      message: /^B must be a backup, "live"/,
    })
    assertFailed(await host.run('diff', 'latest', 'postgres:///nowhere', '--json'), 'database-missing')
  })
})
