import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { after, before, describe, it } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestS3Server, type TestS3User } from '../../store/s3/test-s3-server.ts'
import { TestHost, assertFailed, restoreDocument } from './test-host.ts'

const s3 = await TestS3Server.start()
const skip = typeof s3 === 'string' ? s3 : undefined
after(() => (typeof s3 === 'string' ? undefined : s3[Symbol.asyncDispose]()))

function running(): TestS3Server {
  assert.ok(typeof s3 !== 'string')
  return s3
}

describe('rights on S3', { timeout: 300_000, ...(skip !== undefined && { skip }) }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS what FROM generate_series(1, 20000) i',
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  /** A host with a repository in a bucket, and the same host with the credentials of others. */
  async function createHost(options: { readonly locks?: boolean; readonly more?: string } = {}) {
    const bucket = await running().createBucket(options)
    const host = (await TestHost.create(server)).with({
      PGREVIVE_REPO: `s3://${bucket}/shop?endpoint=${running().endpoint}${options.more ?? ''}`,
    })
    const as = (user: TestS3User) => host.with(running().credentials(user))
    await as('writer').succeed('init')
    return { bucket, as, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() }
  }

  it('of a writer add backups and prove them, and remove nothing', async () => {
    await using host = await createHost()
    const { id } = await host.as('writer').backUp('postgres:///shop')
    await host.as('writer').succeed('prove')
    await host.as('writer').succeed('check')
    await host.as('writer').backUp('postgres:///shop')
    assertFailed(await host.as('writer').run('forget', id, '--even-newest'), 'store-denied', { hint: /s3:/ })
    assert.equal((await host.as('writer').list()).length, 2)
  })

  it('of a pruner forget and prune, with a key that opens no data', async () => {
    await using host = await createHost()
    const { id } = await host.as('writer').backUp('postgres:///shop')
    await host.as('writer').backUp('postgres:///shop')
    await host.as('writer').succeed('key', 'add', '--to', 'pruner.key', '--write-only')
    const pruner = host.as('pruner').with({ PGREVIVE_KEY_FILE: 'pruner.key' })
    assertFailed(await pruner.run('restore', id, '--to', 'postgres:///unread'), 'key-cannot-read')
    await pruner.succeed('forget', id, '--even-newest')
    await pruner.succeed('prune')
    await host.as('writer').succeed('check', '--level', 'content')
  })

  it('of a restorer read and restore, and nothing else; a stranger can do nothing', async () => {
    await using host = await createHost()
    const { id } = await host.as('writer').backUp('postgres:///shop')
    for (const command of [
      ['list'],
      ['backup', 'postgres:///shop'],
      ['prune'],
      ['restore', id, '--to', 'stolen'],
      ['init'],
    ]) {
      assertFailed(await host.as('stranger').run(...command), 'store-denied')
    }
    using owner = running().client('owner')
    const principal = { AWS: running().arn('stranger') }
    const policy = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: principal, Action: 's3:ListBucket', Resource: `arn:aws:s3:::${host.bucket}` },
        {
          Effect: 'Allow',
          Principal: principal,
          Action: 's3:GetObject',
          Resource: `arn:aws:s3:::${host.bucket}/shop/*`,
        },
      ],
    }
    await owner.send(new PutBucketPolicyCommand({ Bucket: host.bucket, Policy: JSON.stringify(policy) }))
    const restored = await host.as('stranger').document(restoreDocument, 'restore', id, '--to', 'postgres:///restored')
    assert.equal(restored.rows, 20_000)
    assert.match(await host.as('stranger').succeed('check'), /will not tell of this check/)
    assertFailed(await host.as('stranger').run('backup', 'postgres:///shop'), 'store-denied')
  })

  it('can not take away what a bucket with versions keeps: --as-of reads it as it was', async () => {
    await using host = await createHost({ locks: true })
    const { id } = await host.as('writer').backUp('postgres:///shop')
    await delay(1100) // times of objects are whole seconds
    const asOf = new Date().toISOString()
    await delay(1100)
    using writer = running().client('writer')
    using pruner = running().client('pruner')
    const bucket = { Bucket: host.bucket }
    const { Contents = [] } = await writer.send(new ListObjectsV2Command({ ...bucket, Prefix: 'shop/' }))
    for (const { Key } of Contents) {
      await assert.rejects(writer.send(new DeleteObjectCommand({ ...bucket, Key })), { name: 'AccessDenied' })
      if (Key?.includes('/packs/'))
        await writer.send(new PutObjectCommand({ ...bucket, Key, Body: 'encrypted by others' }))
      else await pruner.send(new DeleteObjectCommand({ ...bucket, Key }))
    }
    assertFailed(await host.as('writer').run('list'), 'repository-missing')
    assert.match(await host.as('writer').succeed('list', '--as-of', asOf), new RegExp(id))
    const restored = await host
      .as('writer')
      .document(restoreDocument, 'restore', id, '--to', 'postgres:///as_it_was', '--as-of', asOf)
    assert.equal(restored.rows, 20_000)
    assertFailed(await host.as('writer').run('prune', '--as-of', asOf), 'usage-invalid', { hint: /list, show/ })
    assertFailed(await host.as('writer').run('list', '--as-of', '2020-01-01T00:00:00Z'), 'repository-missing')
    assertFailed(await host.as('writer').run('list', '--as-of', 'yesterday'), 'usage-invalid')
    assertFailed(await host.as('writer').run('list', '--as-of', '2099-01-01T00:00:00Z'), 'usage-invalid')
    await using plain = await createHost()
    assertFailed(await plain.as('writer').run('list', '--as-of', asOf), 'usage-invalid', {
      message: /keeps no versions/,
    })
  })

  it('do not reach what is locked, until the lock ends, which prune can put off', async () => {
    await using host = await createHost({ locks: true, more: '&lock-days=2' })
    await host.as('writer').backUp('postgres:///shop')
    using owner = running().client('owner')
    const bucket = { Bucket: host.bucket }
    const endOf = async (Key: string | undefined) =>
      (await owner.send(new GetObjectRetentionCommand({ ...bucket, Key }))).Retention?.RetainUntilDate?.getTime() ?? 0
    const { Versions = [] } = await owner.send(new ListObjectVersionsCommand(bucket))
    assert.ok(Versions.length >= 8)
    const before = new Map<string | undefined, number>()
    for (const { Key, VersionId } of Versions) {
      before.set(Key, await endOf(Key))
      assert.ok((before.get(Key) ?? 0) > Date.now() + 47 * 3600 * 1000)
      await assert.rejects(owner.send(new DeleteObjectCommand({ ...bucket, Key, VersionId })), {
        name: 'AccessDenied',
        message: /object lock/,
      })
    }
    await delay(1100)
    assert.match(await host.as('writer').succeed('prune', '--extend-locks'), /^locked anew: \d+ objects$/m)
    for (const { Key } of Versions) assert.ok((await endOf(Key)) > (before.get(Key) ?? 0), Key)
    assert.ok((await owner.send(new GetObjectCommand({ ...bucket, Key: 'shop/config' }))).ContentLength)
    await using plain = await createHost()
    assertFailed(await plain.as('writer').run('prune', '--extend-locks'), 'usage-invalid', { hint: /lock-days/ })
  })

  it('and settings of the store go with every object: its class, and how the server encrypts', async () => {
    await using host = await createHost({ more: '&storage-class=STANDARD&sse=aws:kms&kms-key=testkey-1' })
    const { id } = await host.as('writer').backUp('postgres:///shop')
    using owner = running().client('owner')
    const { Contents = [] } = await owner.send(new ListObjectsV2Command({ Bucket: host.bucket }))
    for (const { Key } of Contents) {
      const found = await owner.send(new GetObjectCommand({ Bucket: host.bucket, Key }))
      assert.deepEqual([found.ServerSideEncryption, found.SSEKMSKeyId], ['aws:kms', 'testkey-1'])
      await found.Body?.transformToByteArray()
    }
    await host.as('writer').document(restoreDocument, 'restore', id, '--to', 'postgres:///by_kms')
  })
})
