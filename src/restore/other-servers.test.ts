import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type TestServer, startTestServer } from '../postgres/test-server.ts'
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
})
