import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { DirectoryStore } from './directory-store.ts'
import { describeStoreContract } from '../test-store-contract.ts'

const mayMount = process.platform === 'linux' && process.geteuid?.() === 0

let root: string
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'pgrevive-store-'))
})
after(() => rm(root, { recursive: true }))

describeStoreContract('a directory store', async () => {
  const path = await mkdtemp(join(root, 'contract-'))
  return { store: await DirectoryStore.create(path), other: await DirectoryStore.open(path) }
})

describe('a directory store', () => {
  const keysOf = async (store: DirectoryStore, prefix: string) => {
    const keys: string[] = []
    for await (const { key } of store.list(prefix)) keys.push(key)
    return keys
  }

  it('lets timers and signals through while small objects are read and listed', async () => {
    const store = await DirectoryStore.create(join(root, 'busy'))
    await store.put('records/1', [Buffer.from('small')])
    const read = async () => {
      for await (const _ of store.readFolder('records/', { wanted: () => true }));
    }
    for (const work of [read, () => store.get('records/1'), () => keysOf(store, 'records/')]) {
      let ticks = 0
      const timer = setInterval(() => ticks++, 1)
      for (const end = performance.now() + 200; performance.now() < end;) await work()
      clearInterval(timer)
      assert.ok(ticks > 0)
    }
  })

  it('leaves nothing temporary behind', async () => {
    const path = join(root, 'clean')
    const store = await DirectoryStore.create(path)
    for (const key of ['packs/b/2', 'packs/a/1', 'config']) await store.put(key, [Buffer.alloc(3)])
    await store.now()
    assert.deepEqual(await readdir(join(path, 'tmp')), [])
  })

  it('reads a folder in key order: small and large objects that are wanted, and says which is none', async () => {
    const store = await DirectoryStore.create(join(root, 'folder'))
    const contents = new Map(Array.from({ length: 300 }, (_, n) => [`r/${1000 + n}`, Buffer.alloc(n * n, `${n}`)]))
    for (const [key, content] of [...contents].toReversed()) await store.put(key, [content])
    for (const key of ['r/other', 'r/1000.folder/1', 'x/1']) await store.put(key, [Buffer.from('not wanted')])
    await writeFile(join(root, 'folder/r/1 2'), 'not a key')
    await symlink(join(root, 'folder/r/other'), join(root, 'folder/r/2000'))
    await writeFile(join(root, 'folder/r/3000'), '')
    await truncate(join(root, 'folder/r/3000'), 300 * 1024 * 1024)
    const objects = []
    const wanted = (key: string) => /^r\/[0-9 ]+$/.test(key)
    for await (const batch of store.readFolder('r/', { wanted })) objects.push(...batch)
    const last = objects.pop()
    assert.ok(last?.key === 'r/3000' && hasCode(last.bytes, 'object-damaged'))
    assert.deepEqual(
      objects.map(({ key, bytes }) => [key, bytes]),
      [...contents],
    )
    for (const { key, sizeBytes } of objects) assert.equal(sizeBytes, contents.get(key)?.length)
    for await (const _ of store.readFolder('nothing/', { wanted: () => true })) assert.fail('there is no such folder')
  })

  it('says store-missing', async () => {
    await assert.rejects(DirectoryStore.open(join(root, 'nowhere')), (error) => hasCode(error, 'store-missing'))
  })

  it(
    'says that a disk is full, and leaves the old object alone',
    { skip: !mayMount && 'only root may mount' },
    async () => {
      const path = join(root, 'full')
      await mkdir(path)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path])
      try {
        const store = await DirectoryStore.open(path)
        await store.put('index/one', [Buffer.from('before')])
        await assert.rejects(store.put('index/one', [Buffer.alloc(1 << 20)]), (error) => hasCode(error, 'store-full'))
        assert.equal((await store.get('index/one')).toString(), 'before')
        assert.deepEqual(await readdir(join(path, 'tmp')), [])
      } finally {
        execFileSync('umount', [path])
      }
    },
  )

  it('says at once that a directory can not be created', { skip: process.platform !== 'linux' }, async () => {
    await assert.rejects(DirectoryStore.create('/proc/nope/deeper'), (error) => hasCode(error, 'store-missing'))
  })

  it('removes what a dead writer left, also before the clock was set back, and only that', async () => {
    const path = join(root, 'abandoned')
    await mkdir(join(path, 'tmp'), { recursive: true })
    const named = (digit: number) => `pgrevive-${String(digit).repeat(24)}`
    const names = { old: named(0), young: named(1), ahead: named(2), farAhead: named(3), foreign: 'notes.txt' }
    const hours = (count: number) => new Date(Date.now() + count * 3600 * 1000)
    const times = { old: -25, young: -23, ahead: 23, farAhead: 25, foreign: -1000 }
    for (const [key, name] of Object.entries(names)) {
      await writeFile(join(path, 'tmp', name), 'x')
      const time = hours(times[key as keyof typeof names])
      await utimes(join(path, 'tmp', name), time, time)
    }
    const store = await DirectoryStore.open(path)
    assert.equal((await readdir(join(path, 'tmp'))).length, 5)
    assert.equal(await store.removeAbandoned(), 2)
    assert.deepEqual(
      (await readdir(join(path, 'tmp'))).toSorted(),
      [names.ahead, names.foreign, names.young].toSorted(),
    )

    await mkdir(join(root, 'linked'))
    await symlink(join(path, 'tmp'), join(root, 'linked/tmp'))
    await utimes(join(path, 'tmp', names.young), new Date(0), new Date(0))
    assert.equal(await (await DirectoryStore.open(join(root, 'linked'))).removeAbandoned(), 0)
    assert.equal((await readdir(join(path, 'tmp'))).length, 3)
  })

  it('says object-damaged of what is no file or too large, and reads neither', async () => {
    const path = join(root, 'odd')
    const store = await DirectoryStore.create(path)
    execFileSync('mkfifo', [join(path, 'pipe')])
    await writeFile(join(path, 'huge'), '')
    await truncate(join(path, 'huge'), 5 * 2 ** 30)
    for (const key of ['pipe', 'huge'])
      await assert.rejects(store.get(key), (error) => hasCode(error, 'object-damaged'))
  })

  it("tells the time of the disk's clock", async () => {
    const store = await DirectoryStore.create(join(root, 'clock'))
    assert.ok(Math.abs((await store.now()).getTime() - Date.now()) < 5_000)
  })
})
