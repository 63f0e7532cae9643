import assert from 'node:assert/strict'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed, proveDocument } from './test-host.ts'

const shop = `
  CREATE TABLE orders (id int PRIMARY KEY, note text);
  CREATE TABLE customers (id int PRIMARY KEY, name text);
  INSERT INTO orders SELECT i, sha512(i::text::bytea)::text FROM generate_series(1, 3000) i;
  INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 100) i`

const forgetDocument = z.object({
  decisions: z.array(z.object({ backup: z.ulid(), keep: z.boolean(), reasons: z.array(z.string()) })),
  forgotten: z.array(z.ulid()),
})
const pruneDocument = z.object({
  removed: z.object({ packs: z.int(), bytes: z.int() }),
  condemned: z.object({ packs: z.int(), bytes: z.int() }),
  freedBytes: z.int(),
  waitingUntil: z.iso.datetime().nullable(),
})

describe('backups stay as long as they should, and no longer', { timeout: 600_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await change(shop)
  })
  after(() => server[Symbol.asyncDispose]())

  const change = (sql: string) => loadSql(withDatabase(server.target, 'shop'), sql)
  const ids = async () => (await host.list()).map(({ id }) => id)

  async function createHost(): Promise<TestHost> {
    const created = await TestHost.create(server)
    await created.succeed('init')
    return created
  }

  it('by a policy; their space is freed, and what remains proves', async () => {
    await using created = await createHost()
    host = created
    const taken: string[] = []
    for (let day = 0; day < 5; day++) {
      await change(`UPDATE orders SET note = sha512((id + ${day} * 10000)::text::bytea)::text WHERE id % 5 = ${day}`)
      taken.unshift((await host.backUp('postgres:///shop')).id)
      await host.passTime(24)
    }
    await host.passTime(48)
    const would = await host.document(forgetDocument, 'forget', '--keep-daily', '2', '--dry-run')
    assert.deepEqual(
      would.decisions.map(({ backup, keep }) => [backup, keep]),
      taken.map((id, index) => [id, index < 2]),
    )
    assert.deepEqual(await ids(), taken)
    const text = await host.succeed('forget', '--keep-daily', '2')
    assert.match(text, new RegExp(`${taken[0]} .* keep +newest whole one, minimum, daily 1 of 2 \\(`))
    assert.match(text, new RegExp(`${taken[4]} .* forget +no rule keeps it`))
    assert.match(text, /forgot 3 backups; next: pgrevive prune\n$/)
    assert.deepEqual(await ids(), taken.slice(0, 2))

    const bytesOf = async () => {
      const paths = (await host.objects()).filter((path) => /\/(packs|meta|index|gc)\//.test(path))
      return (await Promise.all(paths.map((path) => readFile(path)))).reduce((sum, { length }) => sum + length, 0)
    }
    const condemned = await host.document(pruneDocument, 'prune', '--max-repack', '1GB')
    assert.ok(condemned.condemned.packs > 0)
    assert.deepEqual([condemned.removed.packs, condemned.freedBytes], [0, 0])
    assert.ok(condemned.waitingUntil !== null)
    await host.passTime(25)
    const stored = await bytesOf()
    const freed = await host.document(pruneDocument, 'prune')
    assert.deepEqual(freed.removed, condemned.condemned)
    assert.ok(freed.freedBytes >= freed.removed.bytes)
    assert.ok((await bytesOf()) <= stored - freed.removed.bytes + 4096)
    await host.assertClean({ backups: 2 })
    for (const id of taken.slice(0, 2)) {
      assert.equal((await host.document(proveDocument, 'prove', id)).proof.outcome, 'proven')
    }
  })

  it('by the policies of pgrevive.yaml, each for its database', async () => {
    await using created = await createHost()
    host = created
    await writeFile(
      host.path('pgrevive.yaml'),
      `retention: { keep_last: 2 }
databases:
  shop:
    url: postgres:///shop
    retention: { keep_within: 2d, minimum: 1 }\n`,
    )
    for (let backup = 0; backup < 3; backup++) {
      await host.succeed('backup', 'shop')
      await host.succeed('backup', 'postgres:///postgres')
      await host.passTime(25)
    }
    const { forgotten } = await host.document(forgetDocument, 'forget')
    assert.equal(forgotten.length, 2)
    const names = (await host.list()).map(({ database }) => database)
    assert.deepEqual(names, ['postgres', 'shop', 'postgres', 'shop'])
    assertFailed(await host.run('forget', '--database', 'sho'), 'selection-empty')
  })

  it('not without a policy, and not by one that keeps nothing', async () => {
    await using created = await createHost()
    host = created
    await host.backUp('postgres:///shop')
    assertFailed(await host.run('forget'), 'usage-invalid', { message: /no policy/, hint: /--keep-daily/ })
    assertFailed(await host.run('forget', '--keep-last', '0'), 'usage-invalid')
    assertFailed(await host.run('forget', '--minimum', '2'), 'usage-invalid')
    assertFailed(await host.run('forget', 'latest', '--keep-last', '1'), 'usage-invalid')
    assert.equal((await ids()).length, 1)
  })

  it('in the order in which they were taken, in a copy that has lost the times of its objects', async () => {
    await using created = await createHost()
    host = created
    const taken: string[] = []
    for (let backup = 0; backup < 3; backup++) taken.unshift((await host.backUp('postgres:///shop')).id)
    for (const [index, id] of taken.entries()) {
      const copiedAt = new Date(Date.now() + index * 60_000) // the newest one first
      await utimes(host.path('backups', 'records', id), copiedAt, copiedAt)
    }
    await host.succeed('forget', '--keep-last', '1')
    assert.deepEqual(await ids(), taken.slice(0, 1))
    const muchLater = new Date(Date.now() + 2 * 3600 * 1000)
    const older = (await host.backUp('postgres:///shop')).id
    const newer = (await host.backUp('postgres:///shop')).id
    await utimes(host.path('backups', 'records', older), muchLater, muchLater)
    assert.match(await host.succeed('forget', '--keep-last', '1'), /its age is not known/)
    assert.deepEqual(await ids(), [newer, older])
  })

  it('by name, unless they are pinned or the newest', async () => {
    await using created = await createHost()
    host = created
    const first = (await host.backUp('postgres:///shop')).id
    const second = (await host.backUp('postgres:///shop')).id
    await host.succeed('pin', first, '--reason', 'before the migration')
    assert.match(await host.succeed('list'), /before the migration/)
    assert.match(await host.succeed('show', first), /pinned +.*before the migration/)
    assertFailed(await host.run('forget', first), 'backup-kept', { message: /before the migration/, hint: /unpin/ })
    await host.succeed('forget', '--keep-last', '1')
    assert.deepEqual(await ids(), [second, first])
    await host.succeed('unpin', first)
    assertFailed(await host.run('forget', second), 'backup-kept', {
      message: /newest whole one/,
      hint: /--even-newest/,
    })
    await host.succeed('forget', second, '--even-newest')
    assert.deepEqual(await ids(), [first])
    await host.assertClean({ backups: 1 })
  })

  it('and no longer by a policy once one has shrunk, until somebody has looked', async () => {
    await using created = await createHost()
    host = created
    const whole = await host.backUp('postgres:///shop')
    await change('DELETE FROM orders WHERE id > 100; DROP TABLE customers')
    await host.backUp('postgres:///shop')
    const small = await host.backUp('postgres:///shop')
    const stopped = await host.run('forget', '--keep-last', '1', '--json')
    assertFailed(stopped, 'backup-shrank', { message: /table public\.customers/, hint: /pgrevive acknowledge/ })
    assert.equal((await ids()).length, 3)
    const { stdout } = await host.run('forget', '--keep-last', '1', '--dry-run')
    assert.match(stdout, new RegExp(`${whole.id} .* stopped`))
    const [, shrunk = ''] = (await ids()).toReversed()
    await host.succeed('acknowledge', shrunk)
    await host.succeed('forget', '--keep-last', '1')
    assert.deepEqual(await ids(), [small.id])
  })

  it('even where their record is damaged: they are forgotten by their whole id', async () => {
    await using created = await createHost()
    host = created
    await host.backUp('postgres:///shop')
    const damaged = (await host.backUp('postgres:///shop')).id
    await host.backUp('postgres:///shop')
    await writeFile(host.path('backups', 'records', damaged), 'nonsense')
    assertFailed(await host.run('prune'), 'object-damaged', { message: new RegExp(damaged), hint: /pgrevive forget/ })
    await host.succeed('forget', damaged)
    await host.succeed('prune')
    await host.assertClean({ backups: 2 })
  })

  it('unless a note can not be read, which may be a pin', async () => {
    await using created = await createHost()
    host = created
    const first = (await host.backUp('postgres:///shop')).id
    await host.backUp('postgres:///shop')
    await host.succeed('pin', first, '--reason', 'mine')
    const [note = ''] = await host.objects('notes')
    await writeFile(note, 'nonsense')
    assertFailed(await host.run('forget', '--keep-last', '1'), 'object-damaged', {
      message: /notes\//,
      hint: /pin again/,
    })
    const { exitCode, stdout } = await host.run('check')
    assert.equal(exitCode, 8)
    assert.match(stdout, /can not be read: notes\//)
  })
})
