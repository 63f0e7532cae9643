import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import type { ObjectStore } from '../../store/object-store.ts'
import { openRepository } from '../open-repository.ts'
import { readStream, storeWith, writeStream } from '../test-repository.ts'
import { checkRepository } from '../check/check-repository.ts'
import { PruneBench, rows, streamsOf } from './test-prune.ts'

const nothing = { packs: 0, bytes: 0 }

async function twoBackups(bench: PruneBench) {
  const first = await bench.backUp(rows(0, 2000))
  const second = await bench.backUp(rows(5000, 2000))
  await bench.pass(72)
  return { first, second }
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream))
}

/** Counts what is read. */
function spied(store: ObjectStore): { readonly store: ObjectStore; readonly read: string[] } {
  const read: string[] = []
  const get: ObjectStore['get'] = (key, options) => {
    read.push(key)
    return store.get(key, options)
  }
  return { store: storeWith(store, { get }), read }
}

describe('prune', () => {
  it('does nothing where everything is needed', async () => {
    await using bench = await PruneBench.create()
    await twoBackups(bench)
    const before = await bench.test.objects()
    const report = await bench.prune()
    assert.deepEqual(
      [report.removed, report.condemned, report.waiting, report.freedBytes],
      [nothing, nothing, nothing, 0],
    )
    assert.deepEqual([report.storedBytes, report.unusedBytes, report.waitingUntil], [0, 0, null])
    assert.deepEqual(await bench.test.objects(), before)
    await bench.assertSound()
  })

  it('condemns what no backup needs, removes it a grace later, and frees the bytes that it says', async () => {
    await using bench = await PruneBench.create()
    const { first } = await twoBackups(bench)
    await bench.forget(first)
    const before = await bench.packBytes()
    const condemning = await bench.prune()
    assert.equal(condemning.condemned.packs, 2, 'data and lists')
    assert.deepEqual(condemning.waiting, condemning.condemned)
    assert.equal(condemning.freedBytes, 0)
    assert.equal(await bench.packBytes(), before)

    await bench.pass(24.1)
    assert.deepEqual((await bench.prune()).removed, nothing)
    await bench.pass(0.1)
    const stored = await bench.storedBytes()
    const removing = await bench.prune()
    assert.deepEqual(removing.removed, condemning.condemned)
    assert.equal(await bench.packBytes(), before - condemning.condemned.bytes)
    assert.equal(await bench.storedBytes(), stored - removing.freedBytes + removing.storedBytes)
    assert.deepEqual([removing.waiting, (await bench.prune()).freedBytes], [nothing, 0])
    await bench.assertSound()
  })

  it('tells what it would do, and does nothing, when it is to', async () => {
    await using bench = await PruneBench.create()
    const { first } = await twoBackups(bench)
    await bench.forget(first)
    const before = await bench.test.objects()
    const would = await bench.prune({ dryRun: true })
    assert.deepEqual(await bench.test.objects(), before)
    const did = await bench.prune()
    assert.deepEqual([would.condemned, would.waiting], [did.condemned, did.waiting])
  })

  it('leaves what is younger than two days: a session may be at work on it, or be tried again', async () => {
    await using bench = await PruneBench.create()
    await using session = await bench.repository.startSession()
    const stream = await writeStream(session, rows(0, 2000))
    await session.store()
    await bench.pass(47)
    assert.deepEqual((await bench.prune()).condemned, nothing)
    await session.commit({ stream })
    assert.ok((await readStream(bench.repository, stream)).equals(rows(0, 2000)))
  })

  it('removes what a session left that never committed', async () => {
    await using bench = await PruneBench.create()
    await twoBackups(bench)
    {
      await using session = await bench.repository.startSession()
      await writeStream(session, rows(9000, 1000))
      await session.store()
    }
    const packs = (await bench.test.objects('packs/')).length
    await bench.pass(49)
    await bench.prune()
    await bench.pass(25)
    await bench.prune()
    assert.equal((await bench.test.objects('packs/')).length, packs - 1)
    await bench.assertSound()
  })

  it('rewrites packs that are partly of use, the most wasteful first, and reads no others', async () => {
    await using bench = await PruneBench.create()
    const wasteful = await bench.backUp(rows(0, 1000), rows(10_000, 4000))
    const thrifty = await bench.backUp(rows(20_000, 4000), rows(30_000, 1500))
    await bench.backUp(rows(0, 1000))
    await bench.backUp(rows(20_000, 4000))
    const untouched = await bench.backUp(rows(40_000, 3000))
    await bench.forget(wasteful, thrifty)
    await bench.pass(72)
    const { store, read } = spied(bench.test.store)
    const bounded = await bench.prune({ store, maxRepackBytes: 1 })
    const packsRead = () => read.filter((key) => key.startsWith('packs/'))
    assert.equal(bounded.repacked.packs, 1, 'one in any case')
    assert.ok(packsRead().length <= 1, 'none if the most wasteful one holds lists')
    assert.ok(bounded.repacked.bytes < bounded.condemned.bytes / 3, 'the one of which little was needed')
    await bench.assertSound()
    const rest = await bench.prune({ store, maxRepackBytes: 1e9 })
    assert.ok(rest.repacked.packs >= 1)
    assert.ok(packsRead().length <= 2)
    await bench.assertSound()
    const before = await bench.packBytes()
    await bench.pass(25)
    const removed = await bench.prune()
    assert.equal(await bench.packBytes(), before - removed.removed.bytes)
    assert.ok(removed.removed.packs >= 2)
    assert.ok((await readStream(bench.repository, untouched.stream)).equals(untouched.bytes))
    await bench.assertSound()
  })

  it('takes no pack for one that was condemned before a repair condemned it, whenever it has listed tombstones', async () => {
    await using bench = await PruneBench.create()
    await bench.backUp(rows(50_000, 10))
    const first = await bench.backUp(rows(0, 1000))
    await bench.repository.condemn(['ab'.repeat(32)])
    await using session = await bench.repository.startSession()
    const stream = await writeStream(session, first.bytes)
    await bench.forget(first)
    const [tombstone = ''] = await bench.test.objects('gc/')
    await bench.test.flipBit(tombstone)
    await bench.pass(72)
    let isStalled = false
    const list: ObjectStore['list'] = async function* (prefix, options) {
      const listed = await Array.fromAsync(bench.test.store.list(prefix, options))
      if (prefix === 'gc/' && !isStalled) {
        isStalled = true
        const { id } = await session.commit({ stream })
        bench.kept.push({ id, stream, bytes: first.bytes })
        await checkRepository((await bench.test.reopen()).repository, { level: 2, repair: true, streamsOf })
      }
      yield* listed
    }
    const { removed } = await bench.prune({ store: storeWith(bench.test.store, { list }) })
    assert.deepEqual([isStalled, removed], [true, nothing])
    await bench.assertSound()
  })

  it('leaves a little waste alone', async () => {
    await using bench = await PruneBench.create()
    const more = await bench.backUp(rows(0, 4000), rows(10_000, 100))
    await bench.backUp(rows(0, 4000))
    await bench.forget(more)
    await bench.pass(72)
    const before = await bench.test.objects('packs/')
    const report = await bench.prune({ maxRepackBytes: 1e9 })
    assert.deepEqual([await bench.test.objects('packs/'), report.repacked], [before, nothing])
    assert.ok(report.unusedBytes > 0)
    await bench.assertSound()
  })

  it('keeps the oldest of several copies', async () => {
    await using bench = await PruneBench.create()
    await using first = await bench.repository.startSession()
    await using second = await bench.repository.startSession()
    const bytes = rows(0, 2000)
    const streams = await Promise.all([writeStream(first, bytes), writeStream(second, bytes)])
    await first.commit({ stream: streams[0] })
    const [oldest] = await bench.test.objects('packs/')
    await bench.pass(1)
    await second.commit({ stream: streams[1] })
    await bench.pass(72)
    assert.ok((await bench.prune()).condemned.packs >= 1)
    await bench.pass(25)
    await bench.prune()
    assert.deepEqual(await bench.test.objects('packs/'), [oldest])
    for (const stream of streams) assert.ok((await readStream(bench.repository, stream)).equals(bytes))
  })

  it('drops no copy because of an older one that is damaged', async () => {
    await using bench = await PruneBench.create()
    await using first = await bench.repository.startSession()
    await using second = await bench.repository.startSession()
    const bytes = rows(0, 2000)
    const streams = await Promise.all([writeStream(first, bytes), writeStream(second, bytes)])
    const records = [await first.commit({ stream: streams[0] })]
    const [oldest = ''] = await bench.test.objects('packs/')
    await bench.pass(1)
    records.push(await second.commit({ stream: streams[1] }))
    bench.kept.push(...records.map(({ id }) => ({ id, stream: streams[0], bytes })))
    await bench.test.flipBit(oldest, 200)
    await bench.pass(72)
    assert.deepEqual((await bench.prune()).damaged, [oldest])
    const check = { level: 2, repair: true, streamsOf } as const
    assert.deepEqual((await checkRepository(bench.repository, check)).damages, [])
    await bench.pass(25)
    await bench.prune()
    assert.ok(!(await bench.test.objects('packs/')).includes(oldest))
    await bench.assertSound()
  })

  it('moves nothing out of reach of readers that were there before, however long they take', async () => {
    await using bench = await PruneBench.create()
    const wasteful = await bench.backUp(rows(10_000, 4000), rows(0, 1000))
    const needed = await bench.backUp(rows(0, 1000))
    await bench.forget(wasteful)
    await bench.pass(72)
    const reader = await bench.repository.openReader()
    const pieces = reader.read(needed.stream)[Symbol.asyncIterator]()
    const all = [await pieces.next()]
    assert.ok((await bench.prune({ maxRepackBytes: 1e9 })).repacked.packs > 0)
    await bench.pass(25)
    assert.ok((await bench.prune()).removed.packs > 0)
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) all.push(next)
    const read = Buffer.concat(all.map(({ value }) => Buffer.from(value ?? [])))
    assert.ok(read.equals(needed.bytes))
    assert.ok((await readAll(reader.read(needed.stream))).equals(needed.bytes))
  })

  it('moves nothing that a check takes for lost, however long that takes', async () => {
    await using bench = await PruneBench.create()
    const wasteful = await bench.backUp(rows(10_000, 4000), rows(0, 1000))
    await bench.backUp(rows(0, 1000))
    await bench.backUp(rows(20_000, 1000))
    await bench.forget(wasteful)
    await bench.pass(72)
    let prunes = 0
    const get: ObjectStore['get'] = async (key, options) => {
      if (key.startsWith('packs/') && prunes++ === 0) {
        assert.ok((await bench.prune({ maxRepackBytes: 1e9 })).repacked.packs > 0)
        await bench.pass(25)
        assert.ok((await bench.prune()).removed.packs > 0)
      }
      return bench.test.store.get(key, options)
    }
    const slow = await openRepository(storeWith(bench.test.store, { get }), { keys: [bench.test.key] })
    const { damages, checked } = await checkRepository(slow, { level: 3, streamsOf })
    assert.deepEqual([damages, checked.records], [[], 2])
    const [lost = ''] = await bench.test.objects('packs/')
    await bench.test.remove(lost)
    const { damages: found } = await checkRepository(bench.repository, { level: 3, streamsOf })
    assert.deepEqual(
      found.map(({ object, problem }) => [object, problem]),
      [[lost, 'missing']],
    )
  })

  it('copies what a backup needs of a condemned pack before that goes', async () => {
    await using bench = await PruneBench.create()
    const { first } = await twoBackups(bench)
    await using session = await bench.repository.startSession()
    const half = first.bytes.subarray(0, first.bytes.length / 2)
    const stream = await writeStream(session, half)
    await bench.forget(first)
    await bench.prune()
    await bench.pass(22)
    const { id } = await session.commit({ stream })
    bench.kept.push({ id, stream, bytes: half })
    await bench.pass(3)
    const rescuing = await bench.prune()
    assert.ok(rescuing.rescued.packs >= 1)
    await bench.assertSound()
    const removing = await bench.prune()
    assert.ok(removing.removed.packs >= 1)
    assert.deepEqual(removing.rescued, nothing)
    await bench.assertSound()
  })

  it('does not take a chunk of a manifest for one of a table', async () => {
    await using bench = await PruneBench.create()
    const bytes = rows(0, 500)
    await using session = await bench.repository.startSession()
    const stream = await writeStream(session, bytes)
    const more = await writeStream(session, bytes, { kind: 'meta' })
    await session.commit({ stream, more })
    await bench.pass(72)
    await bench.prune()
    await bench.pass(25)
    await bench.prune()
    const writer = bench.test.key.forWritingOnly()
    assert.ok(writer)
    const readOnlyMeta = await openRepository(bench.test.store, { keys: [writer] })
    assert.ok((await readStream(readOnlyMeta, more)).equals(bytes))
    assert.ok((await readStream(bench.repository, stream)).equals(bytes))
  })

  it('needs no key that opens data', async () => {
    await using bench = await PruneBench.create()
    const { first } = await twoBackups(bench)
    await bench.backUp(first.bytes.subarray(0, 50_000))
    await bench.forget(first)
    const key = bench.test.key.forWritingOnly()
    assert.ok(key)
    await bench.pass(72)
    assert.ok((await bench.prune({ key, maxRepackBytes: 1e9 })).repacked.packs > 0)
    await bench.pass(25)
    assert.ok((await bench.prune({ key })).freedBytes > 0)
    await bench.assertSound()
  })

  it('reads the directory of a pack that no index names, and never takes it for garbage', async () => {
    await using bench = await PruneBench.create()
    await twoBackups(bench)
    await bench.test.remove(...(await bench.test.objects('index/')))
    const report = await bench.prune()
    assert.deepEqual([report.condemned, report.removed], [nothing, nothing])
    await bench.assertSound()
  })

  for (const [what, prefix] of [
    ['a record', 'records/'],
    ['a list', 'meta/'],
    ['a tombstone', 'gc/'],
  ] as const) {
    it(`changes nothing while ${what} can not be read, and says so`, async () => {
      await using bench = await PruneBench.create()
      const { first } = await twoBackups(bench)
      const [unused] = await bench.test.objects('packs/')
      await bench.repository.condemn([unused?.slice(-64) ?? ''])
      await bench.pass(25)
      const [object = ''] = await bench.test.objects(prefix)
      const good = await readFile(bench.test.path(object))
      await writeFile(bench.test.path(object), Buffer.alloc(good.length, 'x'))
      const before = await bench.test.objects()
      await assert.rejects(bench.prune(), (error: Error & { code?: string; hint?: string }) => {
        assert.match(error.code ?? '', /^object-(damaged|missing)$/)
        assert.match(error.hint ?? '', /check/)
        return true
      })
      assert.deepEqual(await bench.test.objects(), before)
      await writeFile(bench.test.path(object), good)
      await bench.assertSound()
      assert.ok(first)
    })
  }

  it('removes nothing where a record is lost that a proof tells of, or all of them are', async () => {
    await using bench = await PruneBench.create()
    const { first, second } = await twoBackups(bench)
    await bench.repository.saveProof({ backup: first.id })
    const [one = '', other = ''] = [first, second].map(({ id }) => `records/${id}`)
    const [good, alsoGood] = [await readFile(bench.test.path(one)), await readFile(bench.test.path(other))]
    await bench.test.remove(one)
    await assert.rejects(bench.prune(), {
      code: 'object-missing',
      message: new RegExp(first.id),
      hint: /pgrevive forget/,
    })
    await bench.test.remove(other, ...(await bench.test.objects('proofs/')))
    await assert.rejects(bench.prune(), { code: 'object-missing', message: /no backup/ })
    assert.deepEqual(await bench.test.objects('gc/'), [])
    await writeFile(bench.test.path(one), good)
    await writeFile(bench.test.path(other), alsoGood)
    await bench.prune()
    await bench.assertSound()
  })

  it('copies nothing out of a pack that is damaged, and leaves it alone', async () => {
    await using bench = await PruneBench.create()
    const first = await bench.backUp(rows(0, 1000), rows(10_000, 4000))
    const [pack = ''] = await bench.test.objects('packs/')
    await bench.backUp(rows(0, 1000))
    await bench.forget(first)
    await bench.test.flipBit(pack, 200)
    await bench.pass(72)
    const report = await bench.prune({ maxRepackBytes: 1e9 })
    assert.deepEqual(report.damaged, [pack])
    assert.ok((await bench.test.objects('packs/')).includes(pack))
    await bench.repository.condemn([pack.slice(-64)])
    await bench.pass(25)
    assert.deepEqual((await bench.prune()).damaged, [pack], 'condemned by a repair, it still holds the only copies')
    assert.ok((await bench.test.objects('packs/')).includes(pack))
    await bench.backUp(rows(0, 1000))
    await bench.prune()
    assert.ok(!(await bench.test.objects('packs/')).includes(pack), 'they were stored again')
    await bench.assertSound()
  })

  it('goes on where one was stopped, at whatever change', async () => {
    for (let stopAt = 1; ; stopAt++) {
      await using bench = await PruneBench.create()
      const first = await bench.backUp(rows(0, 500), rows(10_000, 2000))
      const second = await bench.backUp(rows(50_000, 500))
      await bench.backUp(rows(0, 500))
      await bench.pass(72)
      await bench.forget(second)
      await bench.prune()
      await bench.pass(25)
      await bench.forget(first)
      let changes = 0
      const stopping = <Args extends unknown[]>(call: (...args: Args) => Promise<void>) => {
        return async (...args: Args) => {
          if (++changes === stopAt) throw new Error('stopped')
          if (changes < stopAt) await call(...args)
        }
      }
      const { store } = bench.test
      const fragile = storeWith(store, {
        put: stopping((...args: Parameters<ObjectStore['put']>) => store.put(...args)),
        delete: stopping((...args: Parameters<ObjectStore['delete']>) => store.delete(...args)),
      })
      const stopped = await bench.prune({ store: fragile, maxRepackBytes: 1e9 }).catch((error: Error) => error.message)
      await bench.assertSound()
      for (const hours of [72, 72]) {
        await bench.prune({ maxRepackBytes: 1e9 })
        await bench.pass(hours)
      }
      assert.deepEqual((await bench.prune()).condemned, nothing)
      await bench.assertSound()
      if (stopped !== 'stopped') {
        assert.ok(stopAt > 5, `${stopAt} changes`)
        break
      }
    }
  })

  it('may run twice at once, next to sessions and forgetting', async () => {
    await using bench = await PruneBench.create()
    await bench.backUp(rows(90_000, 100))
    for (let round = 0; round < 5; round++) {
      const forgettable = await bench.backUp(rows(round * 1000, 700))
      await bench.pass(50)
      await Promise.all([
        bench.prune({ maxRepackBytes: 1e9 }),
        bench.prune({ maxRepackBytes: 1e9 }),
        bench.backUp(rows(round * 1000 + 300, 700)),
        bench.forget(forgettable),
      ])
      await bench.assertSound()
    }
    await bench.pass(50)
    await bench.prune()
    await bench.assertSound()
  })

  it('merges index objects where there are many, and readers find their way meanwhile', async () => {
    await using bench = await PruneBench.create()
    for (let backup = 0; backup < 20; backup++) await bench.backUp(rows(backup * 1000, 20))
    const [before] = [await bench.test.objects('index/')]
    assert.equal(before.length, 20)
    let isPruned = false
    const { store } = bench.test
    const get: ObjectStore['get'] = async (key, options) => {
      if (key.startsWith('index/') && !isPruned) {
        isPruned = true
        await bench.prune()
      }
      if (key.startsWith('packs/') && options?.range) assert.fail('the index has all')
      return store.get(key, options)
    }
    const repository = await openRepository(storeWith(store, { get }), { keys: [bench.test.key] })
    await using session = await repository.startSession()
    await writeStream(session, rows(0, 20))
    assert.equal(session.stats.newChunks, 0)
    assert.equal((await bench.test.objects('index/')).length, 1)
    await bench.assertSound()
  })

  it('drops tombstones after a month, when their packs are gone and no index names them', async () => {
    await using bench = await PruneBench.create()
    const { first } = await twoBackups(bench)
    await bench.forget(first)
    await bench.prune()
    await bench.pass(25)
    await bench.prune()
    assert.equal((await bench.test.objects('gc/')).length, 1)
    await bench.pass(24 * 30)
    await bench.prune()
    assert.equal((await bench.test.objects('gc/')).length, 0)
    await bench.assertSound()
  })
})
