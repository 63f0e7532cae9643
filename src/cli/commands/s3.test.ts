import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { PutObjectCommand, PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, runClient, startTestServer } from '../../postgres/server/test-server.ts'
import { TestGateway } from '../../store/test-gateway.ts'
import { TestS3Server } from '../../store/s3/test-s3-server.ts'
import { TestHost, assertFailed, doctorDocument, initDocument, proveDocument, restoreDocument } from './test-host.ts'

const s3 = await TestS3Server.start()
const skip = typeof s3 === 'string' ? s3 : undefined
after(() => (typeof s3 === 'string' ? undefined : s3[Symbol.asyncDispose]()))

describe('a repository on S3', { timeout: 300_000, ...(skip !== undefined && { skip }) }, () => {
  let server: TestServer
  let url: string
  before(async () => {
    assert.ok(typeof s3 !== 'string')
    server = await startTestServer()
    url = `s3://${await s3.createBucket()}/some/folder?endpoint=${s3.endpoint}`
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(
      withDatabase(server.target, 'shop'),
      "CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS what FROM generate_series(1, 100000) i; COMMENT ON TABLE orders IS 'of all times'",
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  /** A host whose `--repo` is `url`, with the credentials of an owner or of whoever else. */
  async function createHost(user?: 'owner' | 'writer' | 'stranger'): Promise<TestHost> {
    assert.ok(typeof s3 !== 'string')
    const host = await TestHost.create(server)
    return host.with({ PGREVIVE_REPO: url, ...s3.credentials(user) })
  }

  it('is created, filled, checked, proven, restored and compared', async () => {
    await using host = await createHost('writer')
    const { location, kitFile } = await host.document(initDocument, 'init')
    assert.equal(location, url)
    assert.match(
      await readFile(kitFile, 'utf8'),
      /--repo 's3:\/\/bucket-1\/some\/folder\?endpoint=http:\/\/127.0.0.1:\d+' --key-file/,
    )
    const first = await host.backUp('postgres:///shop')
    await loadSql(withDatabase(server.target, 'shop'), "UPDATE orders SET what = 'sold' WHERE id = 4711")
    const second = await host.backUp('postgres:///shop')
    assert.ok(second.added.bytes < first.added.bytes / 2)
    assert.deepEqual(
      (await host.list()).map(({ id }) => id),
      [second.id, first.id],
    )
    await host.assertClean({ backups: 2 })
    assert.equal((await host.document(proveDocument, 'prove', 'latest')).proof.outcome, 'proven')
    const restored = await host.document(restoreDocument, 'restore', first.id, '--to', 'postgres:///shop_again')
    assert.deepEqual([restored.database, restored.rows], ['shop_again', 100000])
    assert.match(await host.succeed('diff', first.id, 'postgres:///shop_again'), /^equal: 1 table, 100,000 rows/m)
    assert.match((await host.run('diff', first.id, second.id)).stdout, /orders/)
    assert.equal((await host.run('diff', first.id, second.id)).exitCode, 9)

    const again = await host.run('init', '--kit', 'other-kit.txt', '--json')
    assertFailed(again, 'repository-exists')
    // on another machine, with the kit and another way to write the same place
    await using elsewhere = await createHost('owner')
    const kit = elsewhere.with({ PGREVIVE_REPO: url.replace('/some/folder', '/some/folder/') })
    assert.match(await kit.succeed('list', '--key-file', kitFile), new RegExp(second.id))
  })

  it('is a gs:// place like any other', async () => {
    await using host = await createHost('owner')
    const google = host.with({ PGREVIVE_REPO: url.replace('s3:', 'gs:').replace('/some/folder', '/google') })
    assert.match((await google.document(initDocument, 'init')).location, /^gs:\/\/bucket-1\/google\?endpoint=http:/)
    const backup = await google.backUp('postgres:///shop')
    assert.equal((await google.document(proveDocument, 'prove', backup.id)).proof.outcome, 'proven')
    const restored = await google.document(restoreDocument, 'restore', backup.id, '--to', 'postgres:///shop_of_google')
    assert.equal(restored.rows, 100000)
  })

  it('takes dumps from where others have put them: an object, an archive in a folder, a folder of dumps', async () => {
    assert.ok(typeof s3 !== 'string')
    await using host = await createHost('owner')
    const target = withDatabase(server.target, 'shop')
    const dumps = ['nightly/shop_20250101_020000.dump', 'nightly/shop_20250102_020000.sql', 'archive/toc.dat']
    await mkdir(host.path('nightly'))
    await runClient(target, 'pg_dump', ['-Fc', '-f', host.path('nightly/shop_20250101_020000.dump')])
    await runClient(target, 'pg_dump', ['-f', host.path('nightly/shop_20250102_020000.sql')])
    await runClient(target, 'pg_dump', ['-Fd', '-f', host.path('archive')])
    for (const name of await readdir(host.path('archive'))) if (name !== 'toc.dat') dumps.push(`archive/${name}`)
    const bucket = await s3.createBucket()
    using client = s3.client('owner')
    for (const name of dumps) {
      await client.send(
        new PutObjectCommand({ Bucket: bucket, Key: `of/${name}`, Body: await readFile(host.path(name)) }),
      )
    }
    await rm(host.path('nightly'), { recursive: true })
    const local = host.with({ PGREVIVE_REPO: host.path('backups') })
    await local.succeed('init', '--kit', 'import-kit.txt')
    const place = (path: string) => `s3://${bucket}${path}?endpoint=${s3.endpoint}`
    const folder = await local.with({ TZ: 'UTC' }).succeed('import', '--prove', place('/of/nightly/'))
    assert.equal(folder.match(/^imported and proven s3:\/\//gm)?.length, 2, folder)
    assert.match(
      await local.with({ TZ: 'UTC' }).succeed('import', place('/of/nightly/shop_20250102_020000.sql')),
      /^already there/,
    )
    assert.match(await local.succeed('import', '--prove', place('/of/archive')), /^imported and proven/)
    assert.deepEqual(
      (await local.list()).slice(1).map(({ snapshot, source, totals }) => [snapshot.at, source, totals.rows]),
      ['2', '1'].map((day) => [
        `2025-01-0${day}T02:00:00.000Z`,
        `s3://${bucket}/of/nightly/shop_2025010${day}_020000.${day === '1' ? 'dump' : 'sql'}`,
        100000,
      ]),
    )
    assertFailed(await local.run('import', place('/of/nothing')), 'dump-unreadable')
    assertFailed(await local.run('import', place('')), 'dump-unknown')
  })

  it('is looked at by doctor, who says what its credentials may do, and what the bucket keeps', async () => {
    assert.ok(typeof s3 !== 'string')
    await using owner = await createHost('owner')
    const place = (bucket: string) => ({ PGREVIVE_REPO: `s3://${bucket}/doctor?endpoint=${s3.endpoint}` })
    const answersOf = async (host: TestHost) => {
      const { sections } = await host.document(doctorDocument, 'doctor', '--store')
      return Object.fromEntries(
        sections.flatMap(({ findings }) => findings.map(({ check, answer }) => [check, answer])),
      )
    }
    const plain = place(await s3.createBucket())
    const usual = await answersOf(owner.with(plain))
    assert.deepEqual(
      [usual['overwrite'], usual['remove'], usual['clock'], usual['versions are kept'], usual['object lock']],
      ['possible', 'possible', 'same', 'no', 'no'],
    )
    await using writer = await createHost('writer')
    const lesser = await answersOf(writer.with(plain))
    assert.deepEqual([lesser['write'], lesser['remove']], ['yes', 'refused'])
    await writer.with(plain).succeed('init')
    const Bucket = await s3.createBucket({ locks: true })
    const lockable = await answersOf(owner.with(place(Bucket)))
    assert.deepEqual([lockable['versions are kept'], lockable['object lock']], ['yes', 'possible'])
    using client = s3.client('owner')
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } } as const
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const
    await client.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }))
    assert.equal((await answersOf(owner.with(place(Bucket))))['object lock'], '3 days')
    await using stranger = await createHost('stranger')
    assertFailed(await stranger.with(plain).run('doctor', '--store'), 'doctor-failed', { hint: /s3:PutObject/ })
  })

  it('takes four PUT for a day, three when nothing has changed', async () => {
    assert.ok(typeof s3 !== 'string')
    await using gateway = await TestGateway.start(s3.endpoint)
    await using owner = await createHost('writer')
    const place = `s3://${await s3.createBucket()}/days?endpoint=${gateway.endpoint}`
    const host = owner.with({ PGREVIVE_REPO: place })
    await host.succeed('init')
    await host.backUp('postgres:///shop')
    for (const [change, most] of [
      ['SELECT', 3],
      ["UPDATE orders SET what = 'sold again' WHERE id = 5", 4],
    ] as const) {
      await loadSql(withDatabase(server.target, 'shop'), change)
      gateway.byMethod.clear()
      await host.backUp('postgres:///shop')
      assert.equal(gateway.byMethod.get('PUT'), most)
    }
  })

  it("is not created among what is somebody else's, and its neighbours stay alone", async () => {
    await using host = await createHost('writer')
    const parent = host.with({ PGREVIVE_REPO: url.replace('/some/folder', '/some') })
    assertFailed(await parent.run('init', '--json'), 'usage-invalid', { message: /is not empty/ })
    const neighbour = host.with({ PGREVIVE_REPO: url.replace('/some/folder', '/some/fold') })
    await neighbour.succeed('init')
    assert.deepEqual(await neighbour.list(), [])
  })

  it('tells what is wrong with its place or its credentials, and keeps no key of what was not created', async () => {
    await using host = await createHost('stranger')
    assertFailed(await host.run('init'), 'store-denied', { hint: /s3:PutObject/ })
    await using nobody = await createHost()
    assertFailed(await nobody.run('list'), 'store-denied', { hint: /AWS_ACCESS_KEY_ID/ })
    const down = nobody.with({ PGREVIVE_REPO: 's3://bucket?endpoint=http://127.0.0.1:9' })
    assertFailed(await down.run('init', '--json'), 'store-denied')
    assertFailed(await host.with({ PGREVIVE_REPO: down.environment['PGREVIVE_REPO'] }).run('list'), 'store-unreachable')
    const inUrl = host.with({ PGREVIVE_REPO: 's3://AKIA:hushhush@bucket/x' })
    const refused = await inUrl.run('init', '--json')
    assertFailed(refused, 'usage-invalid', { hint: /AWS_PROFILE/ })
    assert.doesNotMatch(refused.stdout, /hushhush|AKIA/)
    assert.deepEqual([...(await host.everyFile()).keys(), ...(await nobody.everyFile()).keys()], [])
  })
})
