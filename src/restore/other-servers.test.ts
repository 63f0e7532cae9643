import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type TestServer, startTestServer } from '../postgres/server/test-server.ts'
import { hasLz4 } from './column-compression.ts'
import { TestBench } from './test-bench.ts'

describe('a database comes back on a server that is not like its own', { timeout: 180_000 }, () => {
  let bench: TestBench
  let later: TestServer
  before(async () => {
    bench = await TestBench.start()
    later = await startTestServer({ major: 18 })
  })
  after(async () => {
    await later[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  it('built without lz4, which compresses its columns: they are compressed otherwise, and that is said', async (test) => {
    await using source = await bench.server.connect()
    await using target = await later.connect()
    if (!(await hasLz4(source)) || (await hasLz4(target))) {
      test.skip('needs an installed PostgreSQL 15 with lz4, and an 18 without: npm brings one')
      return
    }
    const id = await bench.backUp(
      await bench.database(
        `CREATE TABLE t (a text COMPRESSION lz4, b text COMPRESSION pglz);
         INSERT INTO t SELECT repeat(i::text, 5000), repeat('b', i) FROM generate_series(1, 10) i`,
      ),
    )
    const restored = await bench.restore(id, 'without_lz4', {}, { target: later.target })
    assert.deepEqual(restored.outcome.notes, [
      'columns of 1 table are compressed with pglz: the server was built without lz4',
    ])
    assert.deepEqual(await bench.query(restored, 'SELECT count(*), sum(length(a)), sum(length(b)) FROM t'), [
      ['10', '55000', '55'],
    ])
    const proof = await bench.expectProven(id, { on: later.target })
    assert.ok(proof.notes.some((note) => note.includes('lz4')))
  })

  it('with roles that somebody creates there who is no superuser, without the powers of one', async () => {
    await bench.query(
      bench.server.target,
      "CREATE ROLE shop LOGIN PASSWORD 'x' BYPASSRLS; CREATE ROLE clerk IN ROLE shop; CREATE ROLE backup LOGIN PASSWORD 'b'",
    )
    await bench.query(later.target, "CREATE ROLE creator LOGIN PASSWORD 'c' CREATEDB CREATEROLE")
    const target = await bench.database(
      `CREATE TABLE t AS SELECT 1 AS i; ALTER TABLE t OWNER TO shop; GRANT SELECT ON t TO backup, clerk`,
    )
    await bench.query(bench.server.target, `ALTER DATABASE "${target.database}" OWNER TO shop`)
    const id = await bench.backUp({ ...target, user: 'backup', password: () => 'b' })
    const creator = { ...later.target, user: 'creator', password: () => 'c' }
    const restored = await bench.restore(id, 'by_creator', {}, { target: creator, createRoles: true })
    assert.deepEqual(restored.outcome.notes, [
      'shop was created without BYPASSRLS: only a superuser can give that',
      'creator was made a member of "backup", "clerk", "shop", to give them their objects',
      'backup, shop can not log in yet: whoever backed up might not read passwords, so they have none',
    ])
    const rights = "SELECT tableowner, pg_has_role('clerk', 'shop', 'MEMBER') FROM pg_tables WHERE tablename = 't'"
    assert.deepEqual(await bench.query({ ...later.target, database: 'by_creator' }, rights), [['shop', 't']])
  })
})
