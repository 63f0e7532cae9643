import assert from 'node:assert/strict'
import { appendFile, readFile, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { hasCode } from '../core/app-error.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { loadSql } from '../postgres/server/test-server.ts'
import { listBackups } from '../repository/backups/open-backup.ts'
import { ImportBench } from './test-import.ts'

/** Odd names, owners that may do less than all, what is only in one of pg_dump's sections, and something of every kind. */
const oddDatabase = `
  CREATE SCHEMA "Odd ; ""schema"""; CREATE SCHEMA "größe" AUTHORIZATION "Import ""Owner""";
  CREATE EXTENSION IF NOT EXISTS plpgsql;
  CREATE TYPE "größe".mood AS ENUM ('sad', 'ha''ppy\\');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE FUNCTION "größe".twice(i int) RETURNS int IMMUTABLE LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN i * 2 END; END;
  CREATE FUNCTION on_change() RETURNS trigger LANGUAGE plpgsql AS $body$BEGIN -- ; '
    RETURN NEW; END;$body$;
  CREATE TABLE parents (id serial PRIMARY KEY, "na;me" text UNIQUE, m "größe".mood DEFAULT 'sad', p positive, b bytea);
  INSERT INTO parents ("na;me", p, b) SELECT E'line\\nbreak\\t\\\\.' || i, i, decode(md5(i::text), 'hex') FROM generate_series(1, 500) i;
  INSERT INTO parents ("na;me") VALUES (NULL), (E'\\\\.'), (''), ('größe €');
  CREATE TABLE "Odd ; ""schema"""."child ""one""" (id bigint GENERATED ALWAYS AS IDENTITY, parent int REFERENCES parents, twice int GENERATED ALWAYS AS (parent * 2) STORED) ;
  INSERT INTO "Odd ; ""schema"""."child ""one""" (parent) SELECT id FROM parents;
  CREATE TABLE empty ();
  CREATE TABLE parted (d date, v int) PARTITION BY RANGE (d);
  CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
  CREATE INDEX ON parted ("größe".twice(v)); INSERT INTO parted VALUES ('2020-02-02', 2);
  CREATE VIEW seen AS SELECT count(*) FROM parents;
  CREATE MATERIALIZED VIEW kept AS SELECT "größe".twice(p) AS t FROM parents WHERE p > 490;
  CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
  CREATE TRIGGER changed BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION on_change();
  ALTER TABLE parents ENABLE ROW LEVEL SECURITY; ALTER TABLE parents FORCE ROW LEVEL SECURITY;
  CREATE POLICY own ON parents TO import_reader USING (p > 1);
  ALTER TABLE parents OWNER TO "Import ""Owner"""; ALTER VIEW seen OWNER TO import_reader;
  ALTER FUNCTION on_change() OWNER TO "Import ""Owner""";
  REVOKE INSERT ON parents FROM "Import ""Owner"""; GRANT SELECT ("na;me") ON parents TO import_reader;
  GRANT USAGE ON SCHEMA "größe" TO PUBLIC; REVOKE ALL ON FUNCTION on_change() FROM PUBLIC;
  ALTER DEFAULT PRIVILEGES FOR ROLE "Import ""Owner""" IN SCHEMA "größe" GRANT SELECT ON TABLES TO import_reader;
  CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no DDL'; END$$;
  COMMENT ON TABLE parents IS 'a ''comment'';'; COMMENT ON EXTENSION plpgsql IS 'another';
  CREATE PUBLICATION everything FOR ALL TABLES;
  CREATE STATISTICS counted ON id, p FROM parents;
  SELECT setval('parents_id_seq', 9000, false);
  SELECT lo_from_bytea(5000, decode(repeat('00ff5c0a', 200000), 'hex')); SELECT lo_create(4000000000);
  COMMENT ON LARGE OBJECT 5000 IS 'large'; GRANT SELECT ON LARGE OBJECT 5000 TO import_reader;
  ALTER LARGE OBJECT 4000000000 OWNER TO import_reader;
  CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl();
`
const secret = 'a secret of dumps'

describe('a dump of pg_dump becomes a proven backup', { timeout: 600_000 }, () => {
  let bench: ImportBench
  let original: ConnectionTarget
  let custom: string
  let plain: string
  before(async () => {
    bench = await ImportBench.start()
    await loadSql(
      bench.exports.bench.server.target,
      'CREATE ROLE "Import ""Owner"""; CREATE ROLE import_reader; CREATE ROLE import_login',
    )
    original = await bench.exports.bench.database(oddDatabase)
    custom = await bench.dump(original, 'backup.dump', '-Fc')
    plain = await bench.dump(original, 'backup.sql', '--create')
  })
  after(() => bench[Symbol.asyncDispose]())
  const refuses = async (path: string, code: Parameters<typeof hasCode>[1], message: RegExp, options = {}) => {
    await assert.rejects(bench.import(path, options), (error) => {
      assert.ok(hasCode(error, code), String(error))
      assert.match(error.message, message)
      return true
    })
  }

  it('plain SQL', async () => {
    const imported = await bench.import(plain)
    await bench.assertSame(original, imported)
    const { record } = imported
    assert.equal(record.database, original.database)
    assert.deepEqual([record.imported?.format, record.imported?.wrappings], ['plain', []])
    assert.match(record.imported?.sha256 ?? '', /^[0-9a-f]{64}$/)
    assert.equal(record.source, plain)
    assert.equal(await bench.knowsPasswords(imported.id), false, 'those of the scratch server mean nothing')
  })

  it('plain SQL with INSERT statements, compressed with zstd, without a database of its own', async () => {
    const inserts = await bench.dump(original, 'inserts.sql', '--inserts', '--rows-per-insert=100')
    const path = await bench.rewrite(inserts, 'shop_2026-01-05_023000.sql.zst', (bytes) => zstdCompressSync(bytes))
    const imported = await bench.import(path)
    await bench.assertSame(original, imported)
    assert.equal(imported.record.database, 'shop')
    assert.deepEqual(imported.notes, ['the dump does not say which locale its database had: C was taken'])
  })

  it('the custom format without compression', async () => {
    await bench.assertSame(original, await bench.import(await bench.dump(original, 'level-0.dump', '-Fc', '-Z0')))
  })

  it('the custom format, compressed and encrypted around', async () => {
    const gzipped = await bench.rewrite(custom, 'backup.dump.gz', (bytes) => gzipSync(bytes))
    const path = await bench.encrypt(gzipped, 'backup_encrypted.dump.gz.enc', secret, '-pbkdf2')
    const imported = await bench.import(path, { passphrase: async () => secret })
    await bench.assertSame(original, imported)
    assert.deepEqual(imported.record.imported?.wrappings, ['openssl', 'gzip'])
  })

  it('the directory format', async () => {
    const path = await bench.dump(original, 'directory', '-Fd')
    await bench.assertSame(original, await bench.import(path))
  })

  it('the tar format', async () => {
    const tar = await bench.dump(original, 'backup.tar', '-Ft')
    await bench.assertSame(original, await bench.import(tar))
  })

  it("an export of pgrevive's own", async () => {
    const id = await bench.exports.bench.backUp(original)
    for (const format of ['plain', 'custom'] as const) {
      const path = await bench.exports.export(id, { format, create: format === 'plain' })
      await bench.exports.assertEqual(original, (await bench.import(path)).id)
    }
  })

  it('with extensions, servers and settings that only a superuser makes', async () => {
    const target = await bench.exports.bench.database(`
      CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION postgres_fdw;
      CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost');
      CREATE USER MAPPING FOR import_login SERVER far OPTIONS (user 'u'); GRANT USAGE ON FOREIGN SERVER far TO import_login;
      CREATE FOREIGN TABLE over_there (i int) SERVER far; ALTER FOREIGN TABLE over_there OWNER TO import_reader;
      CREATE TABLE t (h ext.hstore); INSERT INTO t VALUES ('a=>1'); CREATE INDEX ON t USING gist (h ext.gist_hstore_ops);
      COMMENT ON EXTENSION hstore IS 'mine'`)
    const { database } = target
    await loadSql(target, `ALTER DATABASE ${database} SET lc_messages = 'C'`)
    await loadSql(target, `ALTER ROLE import_login IN DATABASE ${database} SET search_path = ext, public`)
    const imported = await bench.import(await bench.dump(target, 'extensions.dump', '-Fc'))
    await bench.assertSame(target, imported)
    assert.deepEqual(imported.notes, [])
  })

  it('under its own time, and only once', async () => {
    const path = await bench.rewrite(custom, 'shop_20250105_023000.dump.gz', (bytes) => gzipSync(bytes))
    const { id, record } = await bench.import(path)
    const at = new Date(2025, 0, 5, 2, 30, 0).toISOString()
    assert.deepEqual([record.snapshot.at, record.startedAt, record.finishedAt], [at, at, at])
    const { backups } = await listBackups(bench.exports.bench.repository)
    assert.equal(backups[0]?.id, id, 'it is the oldest, though it came last')
    const again = await bench.import(path)
    assert.deepEqual([again.id, again.repeated], [id, true])
    const copy = await bench.rewrite(custom, 'shop_20250106_023000.dump.gz', (bytes) => gzipSync(bytes))
    assert.equal((await bench.import(copy)).repeated, false, 'the same bytes of another time are another backup')
  })

  it('of the time in the archive, whatever its file says', async () => {
    await utimes(custom, new Date('2020-02-02'), new Date('2020-02-02'))
    const imported = await bench.import(custom)
    assert.equal(imported.record.imported?.timeFrom, 'archive')
    assert.ok(Date.parse(imported.record.snapshot.at) > Date.now() - 600_000)
  })

  describe('but is refused', () => {
    it('when it was cut off, wherever', async () => {
      for (const [name, path, portions] of [
        ['cut.sql', plain, [0.6, 0.99]],
        ['cut.dump', custom, [0.01, 0.9]],
      ] as const) {
        for (const portion of portions) {
          const cut = (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length * portion))
          await refuses(await bench.rewrite(path, name, cut), 'dump-damaged', /cut off|ends|missing/)
        }
      }
    })

    it('when a file of its directory is missing or cut off', async () => {
      const path = await bench.dump(original, 'broken', '-Fd')
      const blob = join(path, 'blob_5000.dat.gz')
      const bytes = await readFile(blob)
      await bench.write('broken/blob_5000.dat.gz', bytes.subarray(0, -9))
      await refuses(path, 'dump-damaged', /blob_5000/)
      await rm(blob)
      await refuses(path, 'dump-damaged', /blob_5000.dat is missing/)
    })

    it('when it is a tar archive without its end', async () => {
      const path = await bench.dump(original, 'end.tar', '-Ft')
      await refuses(
        await bench.rewrite(path, 'cut.tar', (bytes) => bytes.subarray(0, 40_960)),
        'dump-damaged',
        /cut off/,
      )
    })

    it('when psql would have run a command', async () => {
      const path = await bench.rewrite(plain, 'evil.sql', (bytes) => bytes)
      await appendFile(path, '\n\\! touch /tmp/pgrevive-evil\n')
      await refuses(path, 'dump-refused', /touch/)
    })

    it('when it runs a program, in a function, too, unless it is trusted', async () => {
      const evil = `CREATE FUNCTION public.evil() RETURNS int LANGUAGE plpgsql AS $$BEGIN
        COPY public.empty FROM PROGRAM 'true'; RETURN 1; END$$; SELECT public.evil();\n`
      const add = (sql: string) => (bytes: Buffer) =>
        Buffer.from(
          bytes.toString('latin1').replace('CREATE TRIGGER', () => `${sql}CREATE TRIGGER`),
          'latin1',
        )
      await refuses(
        await bench.rewrite(plain, 'evil-1.sql', add(evil)),
        'dump-refused',
        /COPY|pg_execute_server_program/,
      )
      const direct = "COPY public.empty FROM PROGRAM 'true';\n"
      const path = await bench.rewrite(plain, 'evil-2.sql', add(direct))
      await refuses(path, 'dump-refused', /COPY/)
      await bench.import(path, { trusted: true })
    })
  })
})
