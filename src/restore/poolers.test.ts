import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { withDatabase } from '../postgres/target/connection-target.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { startTestPooler, withoutPgBouncer } from '../postgres/wire/test-pooler.ts'
import { TestBench } from './test-bench.ts'

describe('behind a connection pooler', { timeout: 300_000, skip: withoutPgBouncer }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  const rows = "CREATE TABLE t AS SELECT i, 'row ' || i AS v FROM generate_series(1, 1000) i"

  it('whose clients keep their process of the server, a backup and a restore work as without it', async () => {
    await using pooler = await startTestPooler(bench.server, 'session')
    const { database } = await bench.database(rows)
    const id = await bench.backUp(withDatabase(pooler.target, database))
    await bench.expectProven(id)
    await bench.restore(id, 'through_pooler', {}, { target: pooler.target })
    await bench.expectProven(await bench.backUp(withDatabase(bench.server.target, 'through_pooler')))
  })

  for (const mode of ['transaction', 'statement'] as const) {
    it(`whose clients share processes by ${mode}, both are refused with the reason, and no setting stays`, async () => {
      await using pooler = await startTestPooler(bench.server, mode)
      const { database } = await bench.database(rows)
      const id = await bench.backUp(withDatabase(bench.server.target, database))
      const isRefused = (error: unknown) => {
        assert.ok(hasCode(error, 'connection-pooled'))
        assert.match(error.message, /shares processes|has no transactions/)
        assert.match(error.hint ?? '', /to the PostgreSQL server itself/)
        return true
      }
      const target = withDatabase(pooler.target, database)
      await using client = await Connection.connect(target)
      await assert.rejects(bench.backUp(target), isRefused)
      await assert.rejects(bench.restore(id, `refused_${mode}`, {}, { target }), isRefused)
      assert.deepEqual(await client.query('SHOW search_path'), [['"$user", public']])
    })
  }

  it('that knows no startup options, it is named as the reason', async () => {
    await using pooler = await startTestPooler(bench.server, 'session')
    const target = { ...pooler.target, options: '-c work_mem=5MB' }
    await assert.rejects(
      bench.backUp(target),
      (error) => hasCode(error, 'connection-pooled') && /unsupported startup parameter/.test(error.message),
    )
  })
})
