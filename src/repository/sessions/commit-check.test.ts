import assert from 'node:assert/strict'
import { utimes } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { CommitPermit } from './commit-check.ts'
import { openRepository } from '../open-repository.ts'
import { backUp, storeWith, TestRepository, writeStream } from '../test-repository.ts'

const hourMs = 3600 * 1000
const content = Buffer.from('what both sessions hold '.repeat(2000))

/** A session that relies on a pack which is condemned, `hoursAgo` by the store's clock, before it commits. */
async function commitAfterCondemning(hoursAgo: number): Promise<void> {
  await using test = await TestRepository.create()
  await backUp(test.repository, content)
  await using session = await test.repository.startSession()
  const stream = await writeStream(session, content)
  assert.equal(session.stats.newChunks, 0)
  const packs = (await test.objects('packs/')).map((key) => key.slice(-64))
  await test.repository.condemn(packs)
  const [tombstone = ''] = await test.objects('gc/')
  const condemnedAt = new Date(Date.now() - hoursAgo * hourMs)
  await utimes(test.path(tombstone), condemnedAt, condemnedAt)
  await session.commit({ stream })
}

describe('commit check', () => {
  it('lets a session commit whose packs will outlive the commit window', async () => {
    await commitAfterCondemning(22.99)
  })

  it('refuses a session that relies on a pack which may be deleted within the commit window', async () => {
    await assert.rejects(commitAfterCondemning(23.01), { code: 'session-too-old' })
    await assert.rejects(commitAfterCondemning(100), { code: 'session-too-old' })
  })

  it('is not asked about packs that are condemned when a session starts: it does not rely on them', async () => {
    await using test = await TestRepository.create()
    const first = await backUp(test.repository, content)
    await test.repository.condemn((await test.objects('packs/')).map((key) => key.slice(-64)))
    const second = await backUp(test.repository, content)
    assert.equal(second.stats.newChunks, first.stats.newChunks)
    assert.deepEqual(second.stream, first.stream)
  })

  it('does not go on when a tombstone can not be read', async () => {
    await using test = await TestRepository.create()
    await test.repository.condemn(['ab'.repeat(32)])
    const [tombstone = ''] = await test.objects('gc/')
    await test.flipBit(tombstone)
    const { repository } = await test.reopen()
    await assert.rejects(repository.startSession(), { code: 'object-damaged', message: new RegExp(tombstone) })
  })

  it('refuses a session that lasted longer than tombstones do: those that it has not seen may be gone', async () => {
    await using test = await TestRepository.create()
    const commitAfterDays = async (days: number) => {
      let aheadMs = 0
      const store = storeWith(test.store, { now: async () => new Date(Date.now() + aheadMs) })
      const repository = await openRepository(store, { keys: [test.key] })
      await using session = await repository.startSession()
      const stream = await writeStream(session, content)
      aheadMs = days * 24 * hourMs
      return await session.commit({ stream })
    }
    await commitAfterDays(28)
    await assert.rejects(commitAfterDays(30), { code: 'session-too-old', message: /more than 29 days ago/ })
  })

  it('grants a permit for so long by either clock, and not by one that was set back', () => {
    const permit = new CommitPermit(new Date(), { lifetimeMs: hourMs / 4, wallMs: 1_000_000, monotonicMs: 500 })
    const after = (wallMs: number, monotonicMs: number) =>
      permit.isFresh({ wallMs: 1_000_000 + wallMs, monotonicMs: 500 + monotonicMs })
    assert.ok(after(0, 0))
    assert.ok(after(hourMs / 4, hourMs / 4))
    assert.ok(!after(hourMs / 4 + 1, 1))
    assert.ok(!after(1, hourMs / 4 + 1))
    assert.ok(!after(-1, 1))
  })
})
