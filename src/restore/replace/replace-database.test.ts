import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, type ErrorCode } from '../../core/app-error.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { runClient } from '../../postgres/server/test-server.ts'
import { TestProxy } from '../../postgres/wire/test-proxy.ts'
import type { Selection } from '../../repository/backups/manifest.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { restoreEverything } from '../../repository/backups/restore-plan.ts'
import { TestBench } from '../test-bench.ts'
import { type ReplaceOptions, replaceDatabase } from './replace-database.ts'

/** Something of everything that a role can make which owns a database and is no superuser. */
const everyKind = `
  CREATE SCHEMA app; CREATE EXTENSION citext SCHEMA app; CREATE TYPE app.state AS ENUM ('new', 'paid');
  CREATE TYPE app.pair AS (a int, b text); CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
  CREATE TABLE app.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email app.citext UNIQUE, p app.pair);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES app.customers, s app.state DEFAULT 'new', n app.positive);
  CREATE INDEX orders_by_state ON orders (s) WHERE s = 'paid'; COMMENT ON INDEX orders_by_state IS 'paid ones';
  CREATE TABLE days (d date) PARTITION BY RANGE (d); CREATE TABLE days_22 PARTITION OF days FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
  CREATE FUNCTION app.twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2';
  CREATE PROCEDURE app.tidy() LANGUAGE plpgsql AS 'BEGIN END'; CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int);
  CREATE AGGREGATE app.everything(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
  CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
  CREATE COLLATION "c" FROM "C"; CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
  CREATE STATISTICS both_columns ON id, customer FROM orders; CREATE VIEW paid AS SELECT * FROM orders WHERE s = 'paid';
  CREATE MATERIALIZED VIEW per_state AS SELECT s, count(*) FROM orders GROUP BY s; CREATE SEQUENCE "odd ""name""" START 7;
  CREATE PUBLICATION changes FOR TABLE orders; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
  ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT EXECUTE ON FUNCTIONS TO reader; GRANT USAGE ON SCHEMA app TO reader;
  GRANT SELECT ON orders TO reader; COMMENT ON TABLE orders IS 'what was ordered';
  CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER audited BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION audit();
  INSERT INTO app.customers (email, p) SELECT 'c' || i, (i, 'x')::app.pair FROM generate_series(1, 50) i;
  INSERT INTO orders (customer, s, n) SELECT 1 + i % 50, 'paid', i FROM generate_series(1, 500) i;
  INSERT INTO days SELECT '2022-01-01'::date + i FROM generate_series(1, 99) i; REFRESH MATERIALIZED VIEW per_state`

/** What may have happened since. */
const aftermath = `
  DROP TABLE days; UPDATE orders SET s = 'new' WHERE id < 100; DELETE FROM orders WHERE id > 400; DROP VIEW paid;
  ALTER TABLE app.customers ADD extra text; CREATE SCHEMA later; CREATE TABLE later.t AS SELECT 1 AS i;
  CREATE VIEW later.v AS SELECT * FROM orders; CREATE FUNCTION public.twice(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
  ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
  CREATE PUBLICATION more FOR TABLE app.customers; CREATE DOMAIN leftover AS text`

describe('replace, as a role that owns a database and may create none', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start({ settings: { wal_level: 'logical', max_wal_senders: '1' } })
    await bench.query(
      bench.server.target,
      `CREATE ROLE shopkeeper LOGIN PASSWORD 's' NOCREATEDB; CREATE ROLE reader; CREATE ROLE host`,
    )
  })
  after(() => bench[Symbol.asyncDispose]())

  const asShopkeeper = (target: ConnectionTarget) => ({ ...target, user: 'shopkeeper', password: () => 's' })

  /** A database that belongs to the role, with what `sql` makes in it; `preparation` is run by a superuser before. */
  async function shop(sql: string, preparation = ''): Promise<ConnectionTarget> {
    const target = await bench.database(preparation)
    await bench.query(target, `ALTER DATABASE "${target.database}" OWNER TO shopkeeper`)
    const own = asShopkeeper(target)
    await bench.query(own, sql)
    return own
  }

  /** All that pg_dump prints of it, but for the random word of \\restrict. */
  async function dumpOf(target: ConnectionTarget): Promise<string> {
    const text = await runClient(withDatabase(bench.server.target, target.database), 'pg_dump', [])
    return text.replaceAll(/^\\(un)?restrict .*$/gm, '')
  }

  async function replace(id: string, target: ConnectionTarget, options: Partial<ReplaceOptions> = {}) {
    const { backups } = await listBackups(bench.repository)
    const backup = backups.find((one) => one.id === id)
    assert.ok(backup)
    return replaceDatabase(bench.repository, backup, target, {
      choices: restoreEverything,
      createRoles: false,
      jobs: 2,
      analyze: true,
      environment: process.env,
      confirm: async () => undefined,
      backUp: (selection) => bench.backUp(target, { selection }),
      isSafetyBackup: async () => true,
      comeBack: (safety) => `restore ${safety} --replace`,
      ...options,
    })
  }

  async function expectRefused(
    replacing: Promise<unknown>,
    code: ErrorCode,
    { message, hint }: { readonly message: RegExp; readonly hint: RegExp },
  ): Promise<void> {
    const error = await replacing.catch((caught: unknown) => caught)
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.match(error.hint ?? '', hint)
  }

  for (const [whose, preparation] of [
    ['is of who owns the database', ''],
    ['is of a superuser', 'ALTER SCHEMA public OWNER TO postgres; GRANT ALL ON SCHEMA public TO shopkeeper'],
  ] as const) {
    it(`brings everything back exactly, and then what was there before, where the schema public ${whose}`, async () => {
      const target = await shop(everyKind, preparation)
      const then = await dumpOf(target)
      const id = await bench.backUp(target)
      await bench.query(target, aftermath)
      const damaged = await dumpOf(target)
      assert.notEqual(damaged, then)
      const outcome = await replace(id, target)
      assert.equal(await dumpOf(target), then)
      assert.equal(outcome.atOnce, true)
      await replace(outcome.safetyBackup ?? '', target)
      assert.equal(await dumpOf(target), damaged)
    })
  }

  it('loads what does not fit one transaction on several connections, and leaves no mark', async () => {
    const target = await shop(`${everyKind}; SELECT lo_from_bytea(4711, 'kept')`)
    const then = await dumpOf(target)
    const id = await bench.backUp(target)
    await bench.query(target, `${aftermath}; SELECT lo_unlink(4711); SELECT lo_from_bytea(4712, 'new')`)
    const outcome = await replace(id, target)
    assert.equal(outcome.atOnce, false)
    assert.equal(await dumpOf(target), then)
    assert.deepEqual(await bench.query(target, "SELECT to_regnamespace('pgrevive_restore_unfinished')"), [[null]])
  })

  it('loses nothing that somebody writes until the moment it is dropped, and lets nobody write afterwards', async () => {
    const target = await shop('CREATE TABLE t (i serial PRIMARY KEY)')
    const id = await bench.backUp(target)
    let written = 0
    let stopped = false
    const writing = (async () => {
      while (!stopped) {
        try {
          await using writer = await Connection.connect(target)
          for (; !stopped; written++) await writer.execute('INSERT INTO t DEFAULT VALUES')
        } catch (error) {
          if (!(error instanceof AppError)) throw error // its session was ended
        }
      }
    })()
    while (written < 50) await bench.query(target, 'SELECT 1')
    const { safetyBackup } = await replace(id, target, {
      backUp: async (selection) => {
        const before = written
        const safety = await bench.backUp(target, { selection })
        assert.ok(written - before <= 1)
        stopped = true
        return safety
      },
    })
    await writing
    const [[left] = []] = await bench.query(target, 'SELECT count(*) FROM t')
    await replace(safetyBackup, target)
    const [[kept] = []] = await bench.query(target, 'SELECT count(*) FROM t')
    assert.ok(Number(kept) + Number(left) >= written, `${kept} + ${left} of ${written}`)
  })

  it('refuses where something was changed while the safety backup was taken', async () => {
    const target = await shop(
      `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE state AS ENUM ('new'); CREATE DOMAIN d AS int;
       CREATE TYPE pair AS (a int); CREATE VIEW v AS SELECT 1 AS i; CREATE SEQUENCE s; SELECT lo_from_bytea(4711, 'before');
       CREATE MATERIALIZED VIEW m AS SELECT now() AS at`,
    )
    const id = await bench.backUp(target)
    const replaceDuring = (sql: string) =>
      replace(id, target, {
        backUp: async () => {
          await bench.query(target, sql)
          return id
        },
      })
    for (const change of [
      "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
      'GRANT USAGE ON SEQUENCE s TO reader',
      'ALTER SEQUENCE s INCREMENT 2',
      "ALTER TYPE state ADD VALUE 'old'",
      'ALTER DOMAIN d ADD CHECK (VALUE > 0)',
      'ALTER TYPE pair ADD ATTRIBUTE b int',
      'CREATE OR REPLACE VIEW v AS SELECT 2 AS i',
      "COMMENT ON FUNCTION f() IS 'another'",
      "SELECT lo_put(4711, 0, 'B')",
    ]) {
      await expectRefused(replaceDuring(change), 'object-changed', {
        message: /is as it was before/,
        hint: /run the same/,
      })
    }
    assert.deepEqual(await bench.query(target, "SELECT f(), lo_get(4711)::text = '\\x4265666f7265'"), [['2', 't']])
    await replaceDuring('REFRESH MATERIALIZED VIEW m')
    assert.deepEqual(await bench.query(target, 'SELECT f()'), [['1']])
  })

  it('leaves what belongs to others, and refuses where it would go with what is dropped', async () => {
    const target = await shop('CREATE TABLE t AS SELECT 1 AS i', 'CREATE SCHEMA host AUTHORIZATION host')
    const superuser = withDatabase(bench.server.target, target.database)
    const id = await bench.backUp(target)
    await bench.query(superuser, 'GRANT USAGE ON SCHEMA host TO shopkeeper; CREATE TABLE host.own AS SELECT 2 AS i')
    await bench.query(
      superuser,
      'GRANT SELECT ON host.own TO shopkeeper; CREATE EXTENSION pg_stat_statements SCHEMA host',
    )
    await bench.query(target, 'UPDATE t SET i = 3')
    const outcome = await replace(id, target)
    assert.match(outcome.notes.join('\n'), /host\.own was not backed up: it belongs to somebody else, and stayed/)
    assert.deepEqual(await bench.query(target, 'SELECT t.i, o.i FROM t, host.own o'), [['1', '2']])
    await bench.query(superuser, 'CREATE VIEW host.over_t AS SELECT * FROM public.t')
    const before = await dumpOf(target)
    await expectRefused(replace(id, target), 'target-not-empty', {
      message: /view host\.over_t of postgres depends on what is dropped/,
      hint: /nothing was changed/,
    })
    assert.equal(await dumpOf(target), before)
    await bench.query(superuser, 'DROP VIEW host.over_t')
    await replace(outcome.safetyBackup ?? '', target)
    assert.deepEqual(await bench.query(target, 'SELECT t.i, o.i FROM t, host.own o'), [['3', '2']])
    await bench.query(target, 'DROP TABLE t')
    await bench.query(superuser, 'CREATE TABLE public.t (i int)')
    await expectRefused(replace(id, target), 'target-not-empty', {
      message: /table public\.t of postgres has the name of something in the backup/,
      hint: /--exclude-schema/,
    })
  })

  it('rehearses: what the role may not make is refused before anything is gone', async () => {
    const target = await shop('CREATE TABLE t AS SELECT 1 AS i')
    const superuser = withDatabase(bench.server.target, target.database)
    await bench.query(
      superuser,
      `CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; ALTER FUNCTION watch() OWNER TO shopkeeper;
       CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION watch()`,
    )
    const id = await bench.backUp(superuser)
    await bench.query(superuser, 'DROP EVENT TRIGGER e')
    for (const more of ['', "SELECT lo_from_bytea(99, 'x')"]) {
      if (more !== '') await bench.query(target, more)
      const before = await dumpOf(target)
      const choices = { ...restoreEverything, noOwner: true, noPrivileges: true }
      await expectRefused(replace(id, target, { choices }), 'restore-failed', {
        message: /EVENT TRIGGER e.*is as it was before; a backup of it is 01/s,
        hint: /superuser/i,
      })
      assert.equal(await dumpOf(target), before)
    }
  })

  it('backs up what a schema of the name of the mark would leave out, unless the mark is its own', async () => {
    const target = await shop('CREATE TABLE t AS SELECT 1 AS i')
    const superuser = withDatabase(bench.server.target, target.database)
    const id = await bench.backUp(target)
    const markOf = (owner: string) =>
      `DROP SCHEMA IF EXISTS pgrevive_restore_unfinished CASCADE; CREATE SCHEMA pgrevive_restore_unfinished AUTHORIZATION ${owner};
       COMMENT ON SCHEMA pgrevive_restore_unfinished IS 'safety backup ${id}'`
    await bench.query(superuser, `${markOf('host')}; UPDATE t SET i = 2`)
    await expectRefused(replace(id, target), 'target-not-empty', {
      message: /the schema pgrevive_restore_unfinished belongs to host/,
      hint: /have host or a superuser look/,
    })
    const ways = [
      [superuser, markOf('host'), async () => true],
      [target, markOf('shopkeeper'), async () => false],
      [target, `${markOf('shopkeeper')}; COMMENT ON SCHEMA pgrevive_restore_unfinished IS 'x'`, async () => true],
    ] as const
    for (const [who, sql, isSafetyBackup] of ways) {
      await bench.query(superuser, `UPDATE t SET i = 2; ${sql}`)
      const backUp = (selection: Selection) => bench.backUp(who, { selection, refuseUnfinished: false })
      const { safetyBackup } = await replace(id, who, { isSafetyBackup, backUp })
      assert.notEqual(safetyBackup, id)
      assert.deepEqual(await bench.query(target, 'SELECT i FROM t'), [['1']])
      assert.deepEqual(await bench.query(target, "SELECT to_regnamespace('pgrevive_restore_unfinished')"), [[null]])
      await replace(safetyBackup, who, { backUp })
      assert.deepEqual(await bench.query(target, 'SELECT i FROM t'), [['2']])
    }
    await bench.query(superuser, markOf('shopkeeper'))
    await bench.query(target, 'CREATE TABLE pgrevive_restore_unfinished.own (); UPDATE t SET i = 2')
    await expectRefused(replace(id, target), 'target-not-empty', {
      message: /the schema pgrevive_restore_unfinished holds objects/,
      hint: /nothing was changed.*RENAME/,
    })
    const odd = await bench.backUp(target)
    await bench.query(target, 'DROP SCHEMA pgrevive_restore_unfinished CASCADE')
    await expectRefused(replace(odd, target), 'usage-invalid', {
      message: /holds objects in a schema called pgrevive_restore_unfinished/,
      hint: /into a new database/,
    })
    const beside = await bench.restore(odd, `${target.database}_beside`)
    assert.deepEqual(await bench.query(beside, 'SELECT FROM pgrevive_restore_unfinished.own'), [])
    assert.deepEqual(await bench.query(target, 'SELECT i FROM t'), [['2']])
  })

  it('ends a session that keeps a table locked, and says so where it may not end it, rather than wait', async () => {
    const target = await shop('CREATE TABLE t AS SELECT 1 AS i; CREATE VIEW v AS SELECT * FROM t')
    const id = await bench.backUp(target)
    const before = await dumpOf(target)
    {
      await using holder = await bench.server.connect(target.database)
      await holder.execute('BEGIN; LOCK TABLE t')
      await expectRefused(replace(id, target, { lockTimeoutMs: 200 }), 'table-locked', {
        message: /^other sessions kept tables locked for 0\.2 s; .* is as it was before$/,
        hint: /nothing was changed; .*pg_locks/,
      })
      await holder.execute('COMMIT')
      assert.equal(await dumpOf(target), before)
    }
    await using holder = await Connection.connect(target)
    await holder.execute('BEGIN; LOCK TABLE t')
    const { notes } = await replace(id, target, { lockTimeoutMs: 200 })
    assert.ok(notes.includes('1 session in the database ended for it'), notes.join())
  })

  it('does not say that all is as it was when the answer to COMMIT is lost', async () => {
    const target = await shop('CREATE TABLE t AS SELECT 1 AS i')
    const id = await bench.backUp(target)
    await bench.query(target, 'UPDATE t SET i = 2')
    const [host] = bench.server.target.hosts
    assert.ok(host)
    await using proxy = await TestProxy.start(host)
    await using administrator = await bench.server.connect()
    await using prober = await bench.server.connect()
    await administrator.execute('ALTER ROLE shopkeeper SET synchronous_commit = on')
    await prober.execute('SET synchronous_commit = on')
    const waitForStandby = async (name: string) => {
      await bench.query(bench.server.target, `ALTER SYSTEM SET synchronous_standby_names = '${name}'`)
      await bench.query(bench.server.target, 'SELECT pg_reload_conf()')
    }
    let probe = Promise.resolve()
    const replacing = replace(id, asShopkeeper(proxy.reach(target)), {
      backUp: async (selection) => {
        const safety = await bench.backUp(target, { selection })
        // from now on, a commit is done and not answered: no standby has it
        await waitForStandby('none')
        do probe = prober.execute("COMMENT ON ROLE reader IS 'reads'")
        while (await Promise.race([probe.then(() => true), delay(200, false)]))
        return safety
      },
    })
    const refused = expectRefused(replacing, 'connection-lost', {
      message: /holds what it held before or what the backup holds$/,
      hint: /brings back what was there before: restore 01.* --replace$/,
    })
    const committing = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
    while ((await administrator.query(committing)).length === 0) await delay(10)
    proxy.cut()
    await refused
    await waitForStandby('')
    await probe
    await administrator.execute('ALTER ROLE shopkeeper RESET synchronous_commit')
    assert.deepEqual(await bench.query(target, 'SELECT i FROM t'), [['1']])
  })

  it('of a failure half-way names the way back, which works, and goes on from there without a new backup', async () => {
    const target = await shop("CREATE TABLE t AS SELECT 1 AS i; SELECT lo_from_bytea(1, 'x')")
    const id = await bench.backUp(target)
    await bench.query(target, 'UPDATE t SET i = 2')
    const then = await dumpOf(target)
    let safety = ''
    const interrupted = new AbortController()
    const failing = replace(id, target, {
      signal: interrupted.signal,
      backUp: async (selection) => (safety = await bench.backUp(target, { selection })),
      onProgress: ({ phase }) => {
        if (phase === 'data' && safety !== '') interrupted.abort(new AppError('interrupted', 'stopped here'))
      },
    })
    await expectRefused(failing, 'interrupted', {
      message: /stopped here; .* does not hold what it should/,
      hint: /brings back what was there before: restore 01.* --replace/,
    })
    await expectRefused(bench.restore(id, target.database, {}, { target }), 'target-not-empty', {
      message: /a restore into it did not end/,
      hint: new RegExp(`restore ${safety} --replace`),
    })
    const backUp = () => Promise.reject(new Error('a half state is not backed up'))
    const again = await replace(safety, target, { backUp })
    assert.equal(again.safetyBackup, safety)
    assert.equal(await dumpOf(target), then)
  })
})
