import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { listDatabases } from '../postgres/catalog/database.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/target/connection-target.ts'
import { TestBench } from './test-bench.ts'

/** As hosts set their servers up: the customer is no superuser, and objects of the host's lie among theirs. */
describe('a database of a hosted server', { timeout: 300_000 }, () => {
  let bench: TestBench
  let shop: ConnectionTarget
  const asCustomer = (target: ConnectionTarget) => ({ ...target, user: 'customer', password: () => 'c' })
  const withoutJobs = { selection: { excludeTableData: ['cron.job'] } }

  before(async () => {
    bench = await TestBench.start()
    const server = bench.server.target
    await bench.query(
      server,
      `CREATE ROLE host SUPERUSER; CREATE ROLE host_superuser CREATEROLE CREATEDB; CREATE ROLE gone;
       GRANT pg_read_all_data, pg_monitor TO host_superuser WITH ADMIN OPTION;
       CREATE ROLE customer LOGIN PASSWORD 'c' CREATEDB CREATEROLE IN ROLE host_superuser`,
    )
    await bench.query(server, 'CREATE DATABASE rdsadmin OWNER host')
    await bench.query(server, 'REVOKE CONNECT ON DATABASE rdsadmin FROM PUBLIC')
    shop = await bench.database(
      `GRANT CREATE ON SCHEMA public TO customer; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC;
       SET ROLE customer; CREATE TABLE orders AS SELECT i FROM generate_series(1, 9) i; SET ROLE host;
       CREATE SCHEMA host; CREATE FUNCTION host.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER host_watch ON ddl_command_end EXECUTE FUNCTION host.watch();
       CREATE EXTENSION pg_stat_statements; GRANT EXECUTE ON FUNCTION pg_stat_statements_reset TO host_superuser;
       CREATE EXTENSION hstore SCHEMA host; CREATE SCHEMA cron;
       CREATE TABLE cron.job (id int, username text); INSERT INTO cron.job VALUES (1, 'host'), (2, 'customer');
       ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON cron.job USING (username = current_user);
       ALTER EXTENSION hstore ADD TABLE cron.job;
       UPDATE pg_extension SET extconfig = ARRAY['cron.job'::regclass::oid], extcondition = ARRAY['']
         WHERE extname = 'hstore';
       ALTER DEFAULT PRIVILEGES FOR ROLE host IN SCHEMA public GRANT SELECT ON TABLES TO customer, gone`,
    )
    await bench.query(server, `ALTER DATABASE "${shop.database}" OWNER TO customer`)
    // as after a host's own surgery: privileges name a role that is no longer listed
    await bench.query(server, "SET allow_system_table_mods = on; DELETE FROM pg_authid WHERE rolname = 'gone'")
  })
  after(() => bench[Symbol.asyncDispose]())

  it('is not backed up without the rows that the host hides, unless they are left out', async () => {
    await assert.rejects(
      bench.backUp(asCustomer(shop)),
      (error) =>
        hasCode(error, 'permission-denied') &&
        /cron.job/.test(error.message) &&
        /--exclude-table-data/.test(error.hint ?? ''),
    )
    await bench.backUp(asCustomer(shop), withoutJobs)
  })

  it('is proven on a scratch server, with roles of the host that nobody else knows', async () => {
    const proof = await bench.expectProven(await bench.backUp(asCustomer(shop), withoutJobs))
    assert.equal(proof.compared.schema, true)
    assert.match(proof.notes.join(), /the role \d+ is named by the backup, but was not on its server/)
  })

  it("is restored by the customer, as far as they may, without the host's own", async () => {
    const id = await bench.backUp(asCustomer(shop), withoutJobs)
    const restore = (choices = {}) =>
      bench.restore(
        id,
        'shop_again',
        { noOwner: true, noPrivileges: true, ...choices },
        { target: asCustomer(bench.server.target) },
      )
    await assert.rejects(
      restore(),
      (error) => hasCode(error, 'restore-failed') && /--schema '\*'/.test(error.hint ?? ''),
    )
    const restored = await restore({ schemas: ['*'] })
    assert.match(restored.outcome.notes.join(), /EXTENSION pg_stat_statements was left out/)
    assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM orders'), [['9']])
  })

  it('is backed up with its server, but not what nobody but the host can read', async () => {
    await using connection = await Connection.connect(withDatabase(asCustomer(bench.server.target), 'postgres'))
    const listed = await listDatabases(connection)
    const hosts = listed.filter(({ host }) => host)
    assert.deepEqual(
      hosts.map(({ name }) => name),
      ['rdsadmin'],
    )
    assert.ok(listed.some(({ name, host }) => name === shop.database && !host))
    await using superuser = await bench.server.connect()
    assert.ok((await listDatabases(superuser)).every(({ host }) => !host))
  })
})
