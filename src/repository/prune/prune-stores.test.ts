import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import { MemoryStore } from '../../store/memory-store.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { parseS3Place } from '../../store/s3/s3-place.ts'
import { S3Store } from '../../store/s3/s3-store.ts'
import { TestS3Server } from '../../store/s3/test-s3-server.ts'
import { createRepository } from '../create-repository.ts'
import { openRepository } from '../open-repository.ts'
import { forgetBackups } from '../retention/forget-backups.ts'
import { backUp, storeWith } from '../test-repository.ts'
import { pruneRepository } from './prune-repository.ts'
import { rows, streamsOf } from './test-prune.ts'
import { describePruneOn } from './test-prune-suite.ts'

const owned = new AsyncDisposableStack()
const server = await TestS3Server.start()
if (typeof server !== 'string') owned.use(server)
after(() => owned.disposeAsync())

describePruneOn('in memory', async () => new MemoryStore())

describePruneOn('in a directory', async (): Promise<ObjectStore> => {
  const directory = await mkdtemp(join(tmpdir(), 'pgrevive-prune-'))
  owned.defer(() => rm(directory, { recursive: true }))
  return DirectoryStore.create(directory)
})

describePruneOn(
  'on S3',
  async () => {
    assert.ok(typeof server !== 'string')
    Object.assign(process.env, server.credentials('owner'))
    return new S3Store(parseS3Place(`s3://${await server.createBucket()}/a?endpoint=${server.endpoint}`))
  },
  { skip: typeof server === 'string' ? server : undefined },
)

describe('a prune of a repository with 365 backups', () => {
  it('reads no data pack but those that it rewrites', async () => {
    let nowMs = Date.now()
    const store = new MemoryStore({ clock: () => new Date(nowMs) })
    const { repository } = await createRepository(store, { averageChunkBytes: 4096 })
    const ids: string[] = []
    for (let day = 0; day < 365; day++) {
      const bytes = Buffer.concat([rows((day >> 1) * 1000, 120), rows(1_000_000 + day * 1000, 80)])
      ids.push((await backUp(repository, bytes)).id)
      nowMs += 24 * 3600 * 1000
      if (day % 20 === 19) await pruneRepository(repository, { streamsOf }) // else hundreds of indexes are read each day
    }
    const read: string[] = []
    const get: ObjectStore['get'] = (key, options) => {
      if (key.startsWith('packs/')) read.push(key)
      return store.get(key, options)
    }
    const counted = await openRepository(storeWith(store, { get }), { keys: [repository.key] })
    const nothing = await pruneRepository(counted, { streamsOf })
    assert.deepEqual([nothing.condemned.packs, read], [0, []])
    await forgetBackups(
      repository,
      ids.filter((_, day) => day % 2 === 0), // half of what is in their packs is needed by the next one
    )
    const { condemned, repacked } = await pruneRepository(counted, { streamsOf, maxRepackBytes: 1e9 })
    assert.ok(condemned.packs > 180 && repacked.packs > 100)
    assert.equal(read.length, repacked.packs)
  })
})
