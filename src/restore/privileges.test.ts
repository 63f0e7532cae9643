import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { listProofs } from '../repository/backups/open-backup.ts'
import { TestBench } from './test-bench.ts'

describe('privileges that others than the owner granted', { timeout: 120_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
    await bench.query(bench.server.target, 'CREATE ROLE alice; CREATE ROLE bob')
  })
  after(() => bench[Symbol.asyncDispose]())

  const passedOn = (schema: string) =>
    `CREATE TABLE ${schema}.t (i int); GRANT SELECT ON ${schema}.t TO alice WITH GRANT OPTION;
     SET ROLE alice; GRANT SELECT ON ${schema}.t TO bob; RESET ROLE;`

  it('come back where PUBLIC has lost the schema since', async () => {
    const id = await bench.backUp(
      await bench.database(
        `${passedOn('public')} REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT CREATE, USAGE ON SCHEMA public TO bob`,
      ),
    )
    const { outcome, ...restored } = await bench.restore(id, 'passed_on')
    assert.deepEqual(outcome.notes, [])
    const rights = `SELECT relacl FROM pg_class WHERE relname = 't' UNION ALL SELECT nspacl FROM pg_namespace WHERE nspname = 'public'`
    assert.deepEqual((await bench.query(restored, rights)).flat(), [
      '{postgres=arwdDxt/postgres,alice=r*/postgres,bob=r/alice}',
      '{pg_database_owner=UC/pg_database_owner,bob=UC/pg_database_owner}',
    ])
    await bench.expectProven(id)
  })

  it('refute the backup where who granted has lost the schema since: no server would take them', async () => {
    const id = await bench.backUp(
      await bench.database(
        `CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO alice; ${passedOn('s')} REVOKE USAGE ON SCHEMA s FROM alice`,
      ),
    )
    const { outcome, differences } = await bench.prove(id)
    assert.equal(outcome, 'refuted')
    assert.match(differences[0]?.problem ?? '', /ACL s\.TABLE t: permission denied for schema s/)
    assert.equal((await listProofs(bench.repository)).get(id)?.outcome, 'refuted')
  })
})
