import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import type { Row } from '../../postgres/wire/connection.ts'
import { TestHost, assertFailed } from './test-host.ts'

const refreshDocument = z.object({
  refresh: z.string(),
  backup: z.ulid(),
  target: z.string(),
  scripts: z.array(z.object({ path: z.string(), statements: z.int() })),
  database: z.string(),
  rows: z.int(),
  swap: z.object({ kept: z.string() }).nullable(),
  kept: z.string().nullable(),
  notes: z.array(z.string()),
})

const shop = `
  CREATE TABLE people (id int PRIMARY KEY, email text, born date);
  INSERT INTO people SELECT i, 'secret' || i % 3 || '@example.com', date '1980-01-01' + i FROM generate_series(1, 300) i;
  CREATE MATERIALIZED VIEW domains AS SELECT email, count(*) FROM people GROUP BY 1;
  CREATE TABLE orders AS SELECT i AS id, i % 300 + 1 AS person FROM generate_series(1, 1000) i`

/** Also asks, while rows are as they were, who could see them. */
const mask = `
  DO $$BEGIN
    IF pg_catalog.has_database_privilege('dev', current_database(), 'CONNECT') THEN RAISE 'dev may connect'; END IF;
    IF (SELECT datdba <> 'postgres'::regrole FROM pg_database WHERE datname = current_database()) THEN RAISE 'has its owner'; END IF;
    IF current_database() = 'staging' THEN RAISE 'has its name'; END IF;
  END$$;
  -- semicolons; in comments, 'and' in texts
  begin; UPDATE people SET email = 'person' || id || '@staging.invalid;'; commit;
  VACUUM people`

describe('refresh', { timeout: 300_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(server.target, 'CREATE ROLE dev LOGIN; CREATE ROLE tester LOGIN')
    await loadSql(withDatabase(server.target, 'shop'), shop)
    await host.succeed('init')
    await host.backUp('postgres:///shop')
    await writeFile(host.path('mask.sql'), mask)
    await configure('')
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function configure(more: string, to = 'postgres:///staging', sql = 'mask.sql'): Promise<void> {
    await writeFile(
      host.path('pgrevive.yaml'),
      `databases: { shop: { url: 'postgres:///shop' } }\nrefreshes: { staging: { from: shop, to: { url: '${to}' }, sql: [${sql}]${more} } }\n`,
    )
  }
  async function query(database: string, sql: string): Promise<Row[]> {
    await using connection = await server.connect(database)
    return await connection.query(sql)
  }
  const databases = async () =>
    (
      await query(
        'postgres',
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1",
      )
    ).flat()
  const refresh = () => host.document(refreshDocument, 'refresh', 'staging')

  it('takes none but a proven backup, unless that is said', async () => {
    assertFailed(await host.run('refresh', 'staging'), 'backup-unknown', { message: /no backup of "shop" is proven/ })
    assertFailed(await host.run('refresh', 'stagng'), 'usage-invalid', { hint: /did you mean "staging"/ })
    assert.deepEqual(await databases(), ['shop'])
    await host.succeed('prove')
  })

  it('makes the database from the backup, and nothing of what was masked can be seen in it', async () => {
    const told = await host.succeed('refresh', 'staging')
    assert.match(
      told,
      /^refreshed postgres@\S+\/staging from shop as it was .*: 2 tables, 1,300 rows, .*, 1 script, in /,
    )
    await assertMasked()
    assert.deepEqual(await databases(), ['shop', 'staging'])
  })

  async function assertMasked(): Promise<void> {
    assert.deepEqual(
      await query(
        'staging',
        "SELECT count(*) FILTER (WHERE email ~ '^person\\d+@staging.invalid;$'), count(*) FROM people",
      ),
      [['300', '300']],
    )
    assert.deepEqual(await query('staging', "SELECT count(*), count(*) FILTER (WHERE email ~ 'secret') FROM domains"), [
      ['300', '0'],
    ])
    assert.deepEqual(
      await query(
        'staging',
        "SELECT tablename, attname FROM pg_stats WHERE most_common_vals::text ~ 'secret' OR histogram_bounds::text ~ 'secret'",
      ),
      [],
    )
    assert.deepEqual(await query('staging', "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'people'"), [['t']])
    assert.deepEqual(await query('staging', 'SELECT count(*) FROM orders'), [['1000']])
  }

  it('replaces it at once, with the owner, the privileges and the settings that it had', async () => {
    await loadSql(
      server.target,
      `ALTER DATABASE staging OWNER TO tester; REVOKE ALL ON DATABASE staging FROM PUBLIC; GRANT CONNECT ON DATABASE staging TO dev;
       ALTER DATABASE staging SET work_mem = '7MB'; COMMENT ON DATABASE staging IS 'ours'; ALTER DATABASE staging CONNECTION LIMIT 50`,
    )
    await query('staging', 'DROP TABLE orders; CREATE TABLE mine (i int)')
    const properties = `SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database'), datacl,
      (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = 'staging'`
    const had = await query('staging', properties)
    assert.equal(had[0]?.[0], 'tester')
    const { swap, kept, notes, scripts } = await refresh()
    assert.deepEqual(
      [swap?.kept.startsWith('staging_before_'), kept, notes, scripts[0]?.statements],
      [true, null, [], 5],
    )
    assert.deepEqual(await query('staging', properties), had)
    assert.deepEqual(await query('staging', "SELECT to_regclass('mine')"), [[null]])
    await assertMasked()
    assert.deepEqual(await databases(), ['shop', 'staging'])
  })

  it('leaves it alone when a script fails, leaves nothing else, and tells no values', async () => {
    await query('staging', 'CREATE TABLE still_there (i int)')
    const failing = [
      [
        "UPDATE people SET email = 'x';\nSELECT email::int FROM people",
        /bad\.sql, line 2: invalid input syntax for type integer$/,
      ],
      ['BEGIN; UPDATE people SET email = NULL', /bad\.sql ends within a transaction/],
      ['CREATE UNIQUE INDEX ON people (email)', /bad\.sql, line 1: could not create unique index/],
    ] as const
    await configure('', 'postgres:///staging', 'bad.sql')
    for (const [sql, message] of failing) {
      await writeFile(host.path('bad.sql'), sql)
      const ended = await host.run('refresh', 'staging', '--json')
      assertFailed(ended, 'restore-failed', { message })
      assert.doesNotMatch(ended.stdout, /secret\d/)
      assert.deepEqual(await databases(), ['shop', 'staging'])
    }
    const refused = ['\\i other.sql', 'COPY people FROM stdin;\n1\t2\n\\.', "SELECT 'no end"]
    for (const sql of refused) {
      await writeFile(host.path('bad.sql'), sql)
      assertFailed(await host.run('refresh', 'staging'), 'config-invalid', { message: /bad\.sql is not SQL/ })
    }
    await configure('', 'postgres:///staging', 'missing.sql')
    assertFailed(await host.run('refresh', 'staging'), 'config-invalid', {
      message: /missing\.sql can not be read/,
      hint: /./,
    })
    assert.deepEqual(await query('staging', 'SELECT count(*) FROM still_there'), [['0']])
  })

  it('refuses the source and whatever else is backed up, whatever it is reached by', async () => {
    const [there] = server.target.hosts
    assert.ok(there)
    for (const to of [
      'postgres:///shop',
      `host=${there.host} port=${there.port} dbname=shop`,
      'postgres:///shop?application_name=x',
    ]) {
      await configure('', to)
      assertFailed(await host.run('refresh', 'staging'), 'usage-invalid', {
        message: /is "shop" itself, which is backed up/,
      })
    }
    await writeFile(
      host.path('pgrevive.yaml'),
      "databases: { other: { url: 'postgres:///staging' } }\nrefreshes: { staging: { from: shop, to: { url: 'postgres:///staging' } } }\n",
    )
    assertFailed(await host.run('refresh', 'staging'), 'usage-invalid', { message: /is "other" itself/ })
    await writeFile(
      host.path('pgrevive.yaml'),
      "servers: { main: { url: 'postgres:///postgres' } }\nrefreshes: { staging: { from: shop, to: { url: 'postgres:///staging' } } }\n",
    )
    assertFailed(await host.run('refresh', 'staging'), 'usage-invalid', {
      message: /is "main\/staging" itself/,
      hint: /exclude/,
    })
    assert.deepEqual(await query('shop', 'SELECT count(*) FROM people'), [['300']])
  })

  it('keeps what it has replaced until the next time, where that is said', async () => {
    await configure(', keep: true, proven: false, owner: false, privileges: false')
    const first = await refresh()
    assert.deepEqual(await databases(), ['shop', 'staging', first.kept])
    await host.succeed('restore', '--undo', '--to', 'postgres:///staging')
    assert.deepEqual(await query('staging', 'SELECT count(*) FROM still_there'), [['0']])
    const second = await refresh()
    assert.deepEqual(await databases(), ['shop', 'staging', second.kept])
    await assertMasked()
    await configure('')
    assert.equal((await refresh()).kept, null)
    assert.deepEqual(await databases(), ['shop', 'staging'])
  })
})
