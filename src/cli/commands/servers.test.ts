import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { TestHost, backupDocument } from './test-host.ts'

const databasesDocument = z.object({
  databases: z.array(z.strictObject({ name: z.string(), server: z.string().nullable() })),
  failed: z.array(z.object({ server: z.string(), error: z.object({ code: z.string() }) })),
})
const sizesDocument = z.object({
  repositories: z.array(
    z.object({
      repository: z.string(),
      backups: z.int(),
      bytes: z.int(),
      unique: z.int(),
      packed: z.int(),
      stored: z.int(),
    }),
  ),
})

describe('a server of pgrevive.yaml', { timeout: 120_000 }, () => {
  let server: TestServer
  let host: TestHost
  const hostile = ['--all', "a=b 'c\\", 'line\nbreak', 'Täst/"x"']

  before(async () => {
    server = await startTestServer()
    for (const name of ['shop', 'test_1', ...hostile]) {
      await loadSql(server.target, `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ENCODING 'UTF8'`)
      await loadSql(withDatabase(server.target, name), 'CREATE TABLE orders AS SELECT generate_series(1, 100) AS id')
    }
    host = await TestHost.create(server)
    await configure()
    await host.succeed('init')
  })
  after(async () => {
    await host?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const configure = (more = '') =>
    writeFile(
      host.path('pgrevive.yaml'),
      `servers: { main: { url: postgres:///postgres, exclude: [postgres, 'test_*'] }${more} }\n`,
    )
  const names = async () =>
    (await host.document(databasesDocument, 'list', '--databases')).databases.map(({ name }) => name)

  it('has all of its databases backed up, whatever they are called, and new ones, too', async () => {
    const expected = ['shop', ...hostile].map((name) => `main/${name}`)
    assert.deepEqual((await names()).toSorted(), expected.toSorted())
    const { backups, failed } = await host.document(backupDocument, 'backup')
    assert.deepEqual(backups.map(({ database }) => database).toSorted(), expected.toSorted())
    assert.deepEqual(failed, [])
    await loadSql(server.target, 'CREATE DATABASE newcomer TEMPLATE shop')
    assert.ok((await names()).includes('main/newcomer'))
  })

  it('has databases that every command takes by name', async () => {
    for (const name of hostile.slice(0, 2)) {
      const backup = await host.backUp(`main/${name}`)
      assert.equal(backup.database, `main/${name}`)
    }
    await host.succeed('prove', '--database', 'main/--all')
    await host.succeed('restore', 'latest:main/shop', '--in-place')
    assert.ok(!(await names()).some((name) => name.includes('_before_')), 'what is kept is no new database')
    await host.succeed('restore', '--undo', '--to', 'main/shop')
    await host.succeed('restore', '--finish', '--to', 'main/shop', '--no-safety-backup')
    const unknown = await host.run('backup', 'main/test_1', '--json')
    assert.equal(unknown.exitCode, 2)
  })

  it('that can not be asked fails, and the others are backed up all the same', async () => {
    await configure(`, gone: { url: 'host=127.0.0.1 port=1' }`)
    const listed = await host.run('list', '--databases', '--json')
    const { databases, failed } = databasesDocument.parse(JSON.parse(listed.stdout))
    assert.deepEqual([listed.exitCode, failed[0]?.server, failed[0]?.error.code], [3, 'gone', 'connection-failed'])
    const ended = await host.run('backup', '--json')
    const { backups } = backupDocument.parse(JSON.parse(ended.stdout))
    assert.deepEqual([ended.exitCode, backups.length], [3, databases.length])
    await configure()
  })

  it('fills a repository whose sizes are told', async () => {
    const { repositories } = await host.document(sizesDocument, 'list', '--sizes')
    const [only] = repositories
    assert.ok(only && only.backups > 5)
    assert.ok(only.bytes > 0 && only.unique > 0 && only.packed > 0 && only.stored > only.packed, JSON.stringify(only))
  })
})
