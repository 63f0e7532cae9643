import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { checkRepository } from './check-repository.ts'
import { openRepository } from '../open-repository.ts'
import type { Repository } from '../repository.ts'
import type { CommittedRecord } from '../sessions/stored-record.ts'
import { streamRefSchema } from '../chunks/stream-ref.ts'
import { backUp, readStream, TestRepository, writeStream } from '../test-repository.ts'

const bodySchema = z.object({ stream: streamRefSchema })

async function* streamsOf(record: CommittedRecord) {
  yield { name: 'stream', stream: bodySchema.parse(record.body).stream }
}

function repair(repository: Repository) {
  return checkRepository(repository, { level: 2, repair: true, streamsOf })
}

async function assertClean(test: TestRepository): Promise<void> {
  const { repository } = await test.reopen()
  for (const level of [1, 3] as const) {
    assert.deepEqual((await checkRepository(repository, { level, streamsOf })).damages, [], `level ${level}`)
  }
}

describe('repair', () => {
  const harms = {
    flip: (test: TestRepository, object: string) => test.flipBit(object),
    truncate: (test: TestRepository, object: string) => test.truncate(object),
    remove: (test: TestRepository, object: string) => test.remove(object),
  }
  for (const prefix of ['config', 'config.bak', 'RESTORE.md', 'restore.py', 'index/', 'gc/']) {
    it(`writes ${prefix} again, whatever happened to it`, async () => {
      for (const [name, harm] of Object.entries(harms)) {
        await using test = await TestRepository.create()
        const content = randomBytes(50_000)
        const { stream } = await backUp(test.repository, content)
        await test.repository.condemn(['ab'.repeat(32)])
        const [object = ''] = await test.objects(prefix)
        const before = await readFile(test.path(object))
        await harm(test, object)
        const { repository } = await test.reopen()
        const { damages, repairs } = await repair(repository)
        assert.deepEqual(damages, [], name)
        const unnoticed = name === 'remove' && prefix.endsWith('/') // nothing says that it was there
        assert.deepEqual(
          repairs.map((one) => [one.object, one.done]),
          unnoticed ? [] : [[object, 'rewritten']],
          name,
        )
        if (!prefix.endsWith('/')) assert.deepEqual(await readFile(test.path(object)), before)
        await assertClean(test)
        assert.deepEqual(await readStream((await test.reopen()).repository, stream), content)
      }
    })
  }

  it('takes back nothing that a damaged tombstone condemned, and lets no session commit that may rely on it', async () => {
    await using test = await TestRepository.create()
    const content = randomBytes(50_000)
    const { stream } = await backUp(test.repository, content)
    await using before = await test.repository.startSession()
    await writeStream(before, content)
    await test.repository.condemn([(await test.objects('packs/'))[0]?.slice(-64) ?? ''])
    await using between = await (await test.reopen()).repository.startSession()
    await writeStream(between, content)
    const [tombstone = ''] = await test.objects('gc/')
    await test.flipBit(tombstone)
    await assert.rejects(backUp((await test.reopen()).repository, content), { code: 'object-damaged' })
    await assert.rejects(before.commit({ stream }), { code: 'object-damaged' })

    const old = [...(await test.objects('packs/')), ...(await test.objects('meta/'))]
    const { repairs } = await repair((await test.reopen()).repository)
    assert.deepEqual(repairs, [{ object: tombstone, problem: 'unreadable', done: 'rewritten' }])
    // it has read the tombstone when that was whole, and its packs may be gone by now
    await assert.rejects(between.commit({ stream }), { code: 'session-too-old', message: /repair/ })
    await assertClean(test)
    const again = await backUp((await test.reopen()).repository, content)
    await test.remove(...old)
    assert.deepEqual(await readStream((await test.reopen()).repository, again.stream), content)
  })

  it('saves what is good of a damaged pack, and names only what is lost', async () => {
    await using test = await TestRepository.create()
    const lost = await backUp(test.repository, randomBytes(1000))
    await using session = await test.repository.startSession()
    const [first, second] = [session.openStream(), session.openStream()]
    const [a, b] = [randomBytes(20_000), randomBytes(20_000)]
    await first.write(a)
    const one = await first.finish()
    await second.write(b)
    const two = await second.finish()
    const damaged = await session.commit({ stream: one })
    await using other = await test.repository.startSession()
    const again = other.openStream()
    await again.write(b)
    assert.deepEqual(await again.finish(), two)
    const whole = await other.commit({ stream: two })
    const sizes = await Promise.all(
      (await test.objects('packs/')).map(async (key) => ({ key, size: (await readFile(test.path(key))).length })),
    )
    const [{ key: pack } = { key: '' }] = sizes.toSorted((x, y) => y.size - x.size)
    await test.flipBit(pack, 500) // in the first blob
    const report = await repair((await test.reopen()).repository)
    assert.deepEqual(report.repairs, [{ object: pack, problem: 'hash', done: 'condemned' }])
    assert.ok(report.salvagedChunks > 3)
    assert.deepEqual(report.damages, [
      { object: pack, problem: 'hash', backups: [{ id: damaged.id, streams: ['stream'] }], repairable: false },
    ])
    const later = await checkRepository((await test.reopen()).repository, { level: 1, streamsOf })
    assert.deepEqual(later.damages, report.damages)
    // nobody needs the damaged pack any more but the one that lost something
    await test.remove(pack)
    const { repository } = await test.reopen()
    assert.deepEqual(await readStream(repository, two), b)
    assert.deepEqual(
      (await checkRepository(repository, { level: 3, streamsOf })).damages.map(({ backups }) =>
        backups.map(({ id }) => id),
      ),
      [[damaged.id]],
    )
    assert.ok(whole.id !== lost.id)

    // nothing is saved twice, and the next backup brings back what was lost
    assert.equal((await repair(repository)).salvagedChunks, 0)
    await backUp(repository, a)
    await assertClean(test)
  })

  it('finds nothing lost in a pack of which only the end is cut off', async () => {
    await using test = await TestRepository.create()
    const content = randomBytes(50_000)
    const { stream } = await backUp(test.repository, content)
    for (const pack of [...(await test.objects('packs/')), ...(await test.objects('meta/'))]) await test.truncate(pack)
    const report = await repair((await test.reopen()).repository)
    assert.deepEqual(report.damages, [])
    assert.equal(report.repairs.length, 2)
    await assertClean(test)
    assert.deepEqual(await readStream((await test.reopen()).repository, stream), content)
  })

  it('can not tell good chunks from bad ones without a reading key, and saves only metadata', async () => {
    await using test = await TestRepository.create()
    const { id, stats } = await backUp(test.repository, randomBytes(50_000))
    for (const pack of [...(await test.objects('packs/')), ...(await test.objects('meta/'))]) await test.truncate(pack)
    const writer = test.key.forWritingOnly()
    assert.ok(writer)
    const repository = await openRepository(test.store, { keys: [writer] })
    const report = await repair(repository)
    assert.deepEqual(
      report.damages.map(({ object, backups }) => [object.split('/')[0], backups.map((backup) => backup.id)]),
      [['packs', [id]]],
    )
    assert.ok(report.salvagedChunks > 0)
    // somebody who can read comes later
    assert.equal((await repair((await test.reopen()).repository)).salvagedChunks, stats.newChunks)
    await assertClean(test)
  })
})
