import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { type TestServer, loadSql, startTestServer } from '../postgres/server/test-server.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { everything } from '../repository/backups/manifest.ts'
import { LockedSnapshot } from './locked-snapshot.ts'

describe('the locks of a backup', { timeout: 60_000 }, () => {
  let server: TestServer
  let target: ConnectionTarget
  before(async () => {
    server = await startTestServer()
    target = await server.createDatabase()
    await loadSql(
      target,
      `CREATE TABLE wanted AS SELECT 1 AS i; CREATE TABLE other AS SELECT 1 AS i;
       CREATE TABLE cut (i int) PARTITION BY LIST (i); CREATE TABLE cut_1 PARTITION OF cut FOR VALUES IN (1); INSERT INTO cut VALUES (1)`,
    )
  })
  after(() => server[Symbol.asyncDispose]())

  /** While somebody has a table for themselves. */
  async function whileLocked<Result>(table: string, work: () => Promise<Result>): Promise<Result> {
    await using somebody = await Connection.connect(target)
    await somebody.execute(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
    return await work()
  }
  async function sizesOf(selection: Partial<typeof everything>): Promise<Map<string, boolean>> {
    await using snapshot = await LockedSnapshot.take(target, { ...everything, ...selection }, { lockTimeoutMs: 100 })
    return new Map(
      snapshot.relations.filter(({ selected }) => selected).map(({ name, heapBytes }) => [name, heapBytes > 0]),
    )
  }

  it('are waited for no longer than they may be', async () => {
    for (const table of ['wanted', 'cut_1']) {
      const refused = whileLocked(table, () => sizesOf({}))
      await assert.rejects(
        refused,
        (error) => hasCode(error, 'table-locked') && /locked for 0\.1 s/.test(error.message),
      )
    }
  })

  it('are not waited for where a table is left out', async () => {
    const sizes = new Map([
      ['wanted', true],
      ['cut', false],
      ['cut_1', true],
    ])
    assert.deepEqual(await whileLocked('other', () => sizesOf({ excludeTables: ['other'] })), sizes)
    assert.deepEqual(await whileLocked('wanted', () => sizesOf({ tables: ['cut'] })), new Map([...sizes].slice(1)))
  })
})
