import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { backUpDatabase } from '../backup/back-up-database.ts'
import { hasCode } from '../core/app-error.ts'
import { Connection } from '../postgres/connection.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../postgres/test-server.ts'
import { everything } from '../repository/manifest.ts'
import { createRepository } from '../repository/create-repository.ts'
import type { Repository } from '../repository/repository.ts'
import { DirectoryStore } from '../store/directory-store.ts'
import { listBackups } from './open-backup.ts'
import { type ProveOptions, proveBackup } from './prove-backup.ts'
import { type RestoreOptions, restoreBackup } from './restore-backup.ts'
import { restoreEverything } from './restore-plan.ts'

const shared = new URL('../../../shared/fixtures/', import.meta.url)
const environment = process.env

describe('a database is backed up, lost, brought back, and proven equal', { timeout: 300_000 }, () => {
  let server: TestServer
  let directory: string
  let repository: Repository

  before(async () => {
    server = await startTestServer()
    directory = await mkdtemp(join(tmpdir(), 'pgrevive-whole-'))
    repository = (await createRepository(await DirectoryStore.create(directory), {})).repository
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  const backUp = (target: ConnectionTarget, options: Partial<Parameters<typeof backUpDatabase>[2]> = {}) =>
    backUpDatabase(target, repository, {
      database: target.database,
      selection: everything,
      jobs: 2,
      pgDump: 'auto',
      environment,
      ...options,
    })
  const backupOf = async (id: string) => {
    const { backups } = await listBackups(repository)
    const found = backups.find((backup) => backup.id === id)
    assert.ok(found)
    return found
  }
  const prove = async (id: string, options: Partial<ProveOptions> = {}) =>
    proveBackup(repository, await backupOf(id), { assertions: [], jobs: 2, environment, ...options })
  const restore = async (id: string, name: string, options: Partial<RestoreOptions> = {}) => {
    const target = withDatabase(server.target, name)
    await restoreBackup(repository, await backupOf(id), target, {
      choices: restoreEverything,
      createRoles: true,
      jobs: 2,
      analyze: true,
      ...options,
    })
    return target
  }
  const queryOn = async (target: ConnectionTarget, sql: string) => {
    await using connection = await Connection.connect(target)
    return await connection.query(sql)
  }

  for (const fixture of ['regression.dump', 'tricky.sql', 'pagila.sql']) {
    for (const pgDump of ['auto', 'bundled'] as const) {
      it(
        `${fixture} comes back equal (pg_dump: ${pgDump})`,
        { skip: !existsSync(new URL(fixture, shared)) },
        async () => {
          let target: ConnectionTarget
          if (fixture === 'tricky.sql') {
            target = withDatabase(server.target, 'tricky')
            if (pgDump === 'auto') await loadSql(server.target, new URL(fixture, shared).pathname)
          } else {
            target = await server.createDatabase()
            await loadSql(target, new URL(fixture, shared).pathname)
          }
          const { id } = await backUp(target, { pgDump })
          const proof = await prove(id)
          assert.deepEqual(proof.differences, [])
          assert.equal(proof.outcome, 'proven')
          assert.equal(proof.compared.schema, true)
          const restored = await restore(id, `restored_${pgDump}_${fixture.replace('.', '_')}`)
          assert.deepEqual(
            await queryOn(
              restored,
              "SELECT count(*) FROM pg_class WHERE relnamespace >= 16384 OR relnamespace = 'public'::regnamespace",
            ),
            await queryOn(
              target,
              "SELECT count(*) FROM pg_class WHERE relnamespace >= 16384 OR relnamespace = 'public'::regnamespace",
            ),
          )
        },
      )
    }
  }

  it('one changed byte in the scratch database refutes the backup', async () => {
    const target = await server.createDatabase()
    await loadSql(
      target,
      "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 1000) i",
    )
    const { id } = await backUp(target)
    const proof = await prove(id, {
      onRestored: async (scratch) => {
        await queryOn(scratch, "UPDATE t SET v = 'valuf 500' WHERE id = 500")
      },
    })
    assert.equal(proof.outcome, 'refuted')
    assert.deepEqual(
      proof.differences.map(({ object }) => object),
      ['table public.t'],
    )
  })

  it('partitions by a hash of enums, also in arrays and domains, come back', async () => {
    const target = await server.createDatabase()
    await loadSql(
      target,
      `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN feeling AS mood; CREATE DOMAIN moods AS mood[];
       CREATE TABLE e (id int, m mood, f feeling, ms mood[], d moods) PARTITION BY HASH (m);
       CREATE TABLE e0 PARTITION OF e FOR VALUES WITH (MODULUS 2, REMAINDER 0);
       CREATE TABLE e1 (m mood, id int, d moods, ms mood[], f feeling);
       ALTER TABLE e ATTACH PARTITION e1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       CREATE TABLE a (id int, ms mood[]) PARTITION BY HASH (ms);
       CREATE TABLE a0 PARTITION OF a FOR VALUES WITH (MODULUS 3, REMAINDER 0);
       CREATE TABLE a1 PARTITION OF a FOR VALUES WITH (MODULUS 3, REMAINDER 1);
       CREATE TABLE a2 PARTITION OF a FOR VALUES WITH (MODULUS 3, REMAINDER 2) PARTITION BY RANGE (id);
       CREATE TABLE a20 PARTITION OF a2 FOR VALUES FROM (0) TO (50);
       CREATE TABLE a21 PARTITION OF a2 DEFAULT;
       CREATE TABLE f (id int, f feeling) PARTITION BY HASH (f);
       CREATE TABLE f0 PARTITION OF f FOR VALUES WITH (MODULUS 2, REMAINDER 0);
       CREATE TABLE f1 PARTITION OF f FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       INSERT INTO e SELECT i, (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3], 'ok', ARRAY['sad']::mood[], ARRAY['ok']::mood[] FROM generate_series(1, 100) i;
       INSERT INTO a SELECT i, ARRAY[(ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3]] FROM generate_series(1, 100) i;
       INSERT INTO f SELECT i, (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3] FROM generate_series(1, 100) i`,
    )
    const { id } = await backUp(target)
    const proof = await prove(id)
    assert.deepEqual(proof.differences, [])
    const restored = await restore(id, 'restored_enum')
    for (const table of ['e', 'a', 'f']) {
      const sql = `SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM ${table} t`
      assert.deepEqual(await queryOn(restored, sql), await queryOn(target, sql))
    }
  })

  it('a LATIN1 database, a SQL_ASCII one and an empty one come back', async () => {
    for (const encoding of ['LATIN1', 'SQL_ASCII', 'UTF8']) {
      const target = await server.createDatabase({ encoding })
      if (encoding === 'LATIN1') {
        await loadSql(
          target,
          `CREATE TABLE "sch\u00f6n" ("gr\u00f6\u00dfe" text); INSERT INTO "sch\u00f6n" VALUES ('\u00e9t\u00e9'); CREATE SEQUENCE "s\u00e9q"; SELECT nextval('"s\u00e9q"'); COMMENT ON TABLE "sch\u00f6n" IS 'caf\u00e9'`,
        )
      }
      if (encoding === 'SQL_ASCII')
        await loadSql(
          target,
          `CREATE TABLE t (v text); INSERT INTO t VALUES (E'\\xff\\xfe'), ('plain'); CREATE TABLE "sch\u00f6n" ("\u00e9" serial); INSERT INTO "sch\u00f6n" VALUES (DEFAULT)`,
        )
      const { id } = await backUp(target)
      const proof = await prove(id)
      assert.deepEqual(proof.differences, [], encoding)
      const restored = await restore(id, `restored_${encoding.toLowerCase()}`)
      assert.deepEqual(await queryOn(restored, 'SHOW server_encoding'), [[encoding]])
    }
  })

  it('a second backup of an unchanged database stores next to nothing', async () => {
    const target = await server.createDatabase()
    await loadSql(target, 'CREATE TABLE t AS SELECT i, md5(i::text) AS v FROM generate_series(1, 50000) i')
    const first = await backUp(target)
    const second = await backUp(target)
    assert.ok(second.record.added.bytes < first.record.added.bytes / 50, JSON.stringify(second.record.added))
  })

  it('a table that somebody waits to change is read on the connection that holds its lock', async () => {
    const target = await server.createDatabase()
    await loadSql(
      target,
      'CREATE TABLE t AS SELECT i FROM generate_series(1, 100000) i; CREATE TABLE u AS SELECT 1 AS i',
    )
    await using waiting = await Connection.connect(target)
    let altering: Promise<void> | undefined
    const { id } = await backUp(target, {
      jobs: 1,
      // the schema has been read and its locks are gone when the first rows arrive
      onProgress: () => {
        altering ??= waiting.execute('ALTER TABLE u ADD COLUMN j int')
      },
    })
    await altering
    assert.deepEqual((await prove(id)).differences, [])
  })

  it('restores one table out of many, with its indexes and its sequence', async () => {
    const target = await server.createDatabase()
    await loadSql(
      target,
      `CREATE TYPE kind AS ENUM ('a', 'b');
       CREATE TABLE customers (id serial PRIMARY KEY, name text);
       CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, k kind DEFAULT 'a');
       CREATE INDEX orders_customer ON orders (customer);
       INSERT INTO customers (name) SELECT 'c' || i FROM generate_series(1, 10) i;
       INSERT INTO orders (customer) SELECT 1 + i % 10 FROM generate_series(1, 100) i`,
    )
    const { id } = await backUp(target)
    const restored = await restore(id, 'restored_orders', { choices: { ...restoreEverything, tables: ['orders'] } })
    assert.deepEqual(await queryOn(restored, 'SELECT count(*) FROM orders'), [['100']])
    assert.deepEqual(await queryOn(restored, "SELECT nextval('orders_id_seq')"), [['101']])
    assert.deepEqual(await queryOn(restored, "SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'"), [['2']])
    await assert.rejects(queryOn(restored, 'SELECT * FROM customers'), (error) => hasCode(error, 'query-failed'))
  })

  it('refuses a database that is not empty, and leaves nothing behind after an error', async () => {
    const target = await server.createDatabase()
    await loadSql(target, 'CREATE TABLE t AS SELECT 1 AS i')
    const { id } = await backUp(target)
    await assert.rejects(restore(id, target.database), (error) => hasCode(error, 'target-not-empty'))

    const functionOf = await server.createDatabase()
    await loadSql(
      functionOf,
      `CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN IF current_database() LIKE 'pgrevive%' THEN RAISE 'no'; END IF; RETURN $1; END$$;
       CREATE TABLE t AS SELECT 1 AS i; CREATE INDEX ON t (public.fails(i))`,
    )
    const failing = await backUp(functionOf)
    await assert.rejects(
      restore(failing.id, 'never_there'),
      (error) =>
        hasCode(error, 'restore-failed') &&
        error.message.includes('INDEX public.t_fails_idx') &&
        error.message.includes('CREATE INDEX'),
    )
    assert.deepEqual(
      await queryOn(
        server.target,
        "SELECT datname FROM pg_database WHERE datname = 'never_there' OR datname LIKE 'pgrevive%'",
      ),
      [],
    )
  })

  it('a role that may not read a table gets an error that names it, and no backup', async () => {
    const target = await server.createDatabase()
    await loadSql(target, "CREATE TABLE secret AS SELECT 1 AS i; CREATE ROLE reader LOGIN PASSWORD 'reader'")
    const asReader = { ...target, user: 'reader', password: () => 'reader' }
    const before = (await listBackups(repository)).backups.length
    await assert.rejects(
      backUp(asReader),
      (error) => hasCode(error, 'permission-denied') && error.message.includes('secret'),
    )
    assert.equal((await listBackups(repository)).backups.length, before)
  })
})
