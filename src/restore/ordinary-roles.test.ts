import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/target/connection-target.ts'
import { TestBench } from './test-bench.ts'

describe('a role that is no superuser', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
    await bench.query(
      bench.server.target,
      `CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE reader LOGIN PASSWORD 'reader' IN ROLE pg_read_all_data;
       CREATE ROLE plain LOGIN PASSWORD 'plain'; CREATE ROLE other;
       CREATE ROLE restorer LOGIN PASSWORD 'restorer' CREATEDB;
       CREATE ROLE member LOGIN PASSWORD 'member' CREATEDB IN ROLE app, other`,
    )
  })
  after(() => bench[Symbol.asyncDispose]())

  const as = (user: string, target: ConnectionTarget) => ({ ...target, user, password: () => user })

  /** Everything in it belongs to `app`, and `plain` may read all of it but what `sql` takes away. */
  const database = (sql = '') =>
    bench.database(
      `CREATE SCHEMA s AUTHORIZATION app; SET ROLE app; CREATE SEQUENCE s.q; SELECT nextval('s.q');
       CREATE TABLE s.t (id serial PRIMARY KEY, v text); INSERT INTO s.t (v) VALUES ('a'), ('b');
       CREATE MATERIALIZED VIEW s.m AS SELECT count(*) FROM s.t; CREATE TABLE s.f (i int); INSERT INTO s.f VALUES (1);
       GRANT USAGE ON SCHEMA s TO plain; GRANT SELECT ON ALL TABLES IN SCHEMA s TO plain;
       GRANT SELECT ON ALL SEQUENCES IN SCHEMA s TO plain; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO other;
       CREATE POLICY p ON s.f TO other USING (true); RESET ROLE; ${sql}`,
    )

  it('backs up what it owns, what it was granted, or everything with pg_read_all_data', async () => {
    const target = await database('CREATE EXTENSION citext')
    const ids = []
    for (const user of ['app', 'plain', 'reader']) ids.push(await bench.backUp(as(user, target)))
    await bench.expectProven(ids[2] ?? '')
  })

  const denials: readonly (readonly [string, string, RegExp, RegExp])[] = [
    ['plain', 'REVOKE SELECT ON s.t FROM plain', /table t/, /pg_read_all_data/],
    ['plain', 'REVOKE SELECT ON s.t FROM plain; GRANT SELECT (id) ON s.t TO plain', /table t/, /pg_read_all_data/],
    ['plain', 'REVOKE SELECT ON s.t_id_seq FROM plain', /sequence t_id_seq/, /pg_read_all_data/],
    ['plain', 'REVOKE USAGE ON SCHEMA s FROM plain', /schema s/, /--exclude-schema/],
    ['plain', "SELECT lo_from_bytea(7, 'x')", /large object 7/, /as their owner/],
    ['reader', "SELECT lo_from_bytea(7, 'x')", /large object 7/, /as their owner/],
    ['reader', 'ALTER TABLE s.t ENABLE ROW LEVEL SECURITY', /table s\.t: .*row-level security/, /BYPASSRLS/],
    ['app', 'ALTER TABLE s.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', /row-level security/, /BYPASSRLS/],
  ]
  for (const [user, sql, message, hint] of denials) {
    it(`is told what it may not read, as ${user} after ${sql}`, async () => {
      await assert.rejects(bench.backUp(as(user, await database(sql))), (error) => {
        assert.ok(hasCode(error, 'permission-denied'))
        assert.match(error.message, message)
        assert.match(error.hint ?? '', hint)
        return true
      })
    })
  }

  it('hears of options of user mappings that are hidden from it', async () => {
    const target = await database(
      `CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;
       CREATE USER MAPPING FOR other SERVER away OPTIONS (password 'x'); CREATE USER MAPPING FOR app SERVER away;
       GRANT USAGE ON FOREIGN SERVER away TO app`,
    )
    const { warnings } = await bench.backUpWithRecord(as('app', target))
    assert.match(warnings.join(), /^the options of the user mapping of other on away are missing/)
    assert.deepEqual((await bench.backUpWithRecord(target)).warnings, [])
  })

  it('restores as a member of the owners, or owns everything itself, and is told what it needs else', async () => {
    const target = await database()
    await bench.query(bench.server.target, `ALTER DATABASE "${target.database}" OWNER TO app`)
    const id = await bench.backUp(target)
    const restore = (user: string, name: string, choices = {}) =>
      bench.restore(id, name, choices, { target: as(user, bench.server.target) })
    const owner = "SELECT tableowner FROM pg_tables WHERE tablename = 't'"
    assert.deepEqual(await bench.query(await restore('member', 'by_member'), owner), [['app']])
    const own = await restore('restorer', 'by_restorer', { noOwner: true, noPrivileges: true })
    assert.deepEqual(await bench.query(own, `${owner}; SELECT count(*) FROM s.t`), [['2']])
    await assert.rejects(
      restore('restorer', 'never'),
      (error) => hasCode(error, 'permission-denied') && /--no-owner/.test(error.hint ?? ''),
    )
    await assert.rejects(
      restore('restorer', 'never', { noOwner: true }),
      (error) => hasCode(error, 'restore-failed') && /--no-privileges/.test(error.hint ?? ''),
    )
  })

  it('restores extensions that an administrator has created for it', async () => {
    const id = await bench.backUp(await database('CREATE EXTENSION postgres_fdw; CREATE EXTENSION citext'))
    const owners = { noOwner: true, noPrivileges: true }
    const target = as('restorer', bench.server.target)
    await assert.rejects(
      bench.restore(id, 'prepared', owners, { target }),
      (error) => hasCode(error, 'restore-failed') && /administrator/.test(error.hint ?? ''),
    )
    await bench.query(bench.server.target, 'CREATE DATABASE prepared OWNER restorer')
    await bench.query(withDatabase(bench.server.target, 'prepared'), 'CREATE EXTENSION postgres_fdw')
    const restored = await bench.restore(id, 'prepared', owners, { target })
    assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM s.t'), [['2']])
  })

  it('proves on a server of its own choice, and says that owners were not compared', async () => {
    const id = await bench.backUp(await database("SELECT lo_from_bytea(8, 'x'); ALTER LARGE OBJECT 8 OWNER TO app"))
    const proof = await bench.expectProven(id, { on: as('restorer', bench.server.target) })
    assert.equal(proof.compared.schema, true)
    assert.match(proof.notes.join(), /owners and privileges were not compared: restorer can not give objects to/)
    const forced = await bench.backUp(
      await database('ALTER TABLE s.f ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'),
    )
    await assert.rejects(
      bench.prove(forced, { on: as('restorer', bench.server.target) }),
      (error) => hasCode(error, 'permission-denied') && /without --on/.test(error.hint ?? ''),
    )
  })
})
