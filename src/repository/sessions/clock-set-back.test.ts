import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRepository } from '../open-repository.ts'
import { backUp, storeWith, TestRepository, writeStream } from '../test-repository.ts'

const hourMs = 3600 * 1000

async function ids(items: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const found: string[] = []
  for await (const { id } of items) found.push(id)
  return found
}

describe('a clock that is set back', () => {
  it("does not change the order of backups and proofs, the writer's", async (test) => {
    await using repository = await TestRepository.create()
    const backups: string[] = []
    const proofs: string[] = []
    const now = Date.now()
    test.mock.timers.enable({ apis: ['Date'], now })
    for (const hours of [0, 72, 48, -1000, 73]) {
      test.mock.timers.setTime(now + hours * hourMs)
      backups.push((await backUp(repository.repository, Buffer.from(`at ${hours}`))).id)
      proofs.push(await repository.repository.saveProof({ at: hours }))
    }
    assert.deepEqual(await ids(repository.repository.records()), backups)
    assert.deepEqual(await ids(repository.repository.proofs()), proofs)
  })

  it("does not make a session rely on what may be deleted, the store's", async () => {
    await using test = await TestRepository.create()
    const content = Buffer.from('what both sessions hold '.repeat(2000))
    await backUp(test.repository, content)
    let aheadMs = 23.5 * hourMs
    const store = storeWith(test.store, {
      now: async () => new Date((await test.store.now()).getTime() + aheadMs),
    })
    const repository = await openRepository(store, { keys: [test.key] })
    const commit = async () => {
      await using session = await repository.startSession()
      const stream = await writeStream(session, content)
      await test.repository.condemn((await test.objects('packs/')).map((key) => key.slice(-64)))
      aheadMs = 0
      return await session.commit({ stream })
    }
    await assert.rejects(commit(), { code: 'session-too-old' })
  })
})
