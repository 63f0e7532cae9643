import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRepository } from '../check/check-repository.ts'
import { forgetBackups } from './forget-backups.ts'
import { openRepository } from '../open-repository.ts'
import { backUp, storeWith, TestRepository } from '../test-repository.ts'
import { streamsOf } from '../prune/test-prune.ts'

async function twoProven() {
  const test = await TestRepository.create()
  const ids: string[] = []
  for (const text of ['first', 'second']) {
    const { id } = await backUp(test.repository, Buffer.from(text))
    ids.push(id)
    await test.repository.saveProof({ backup: id }, { of: id })
    await test.repository.saveProof({ backup: id }, { of: id })
  }
  const [first = '', second = ''] = ids
  return { test, first, second, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() }
}

describe('a backup that is forgotten', () => {
  it('goes with its proofs, and nothing misses it', async () => {
    await using two = await twoProven()
    const gone: string[] = []
    await forgetBackups(two.test.repository, [two.first], { onForgotten: (id) => gone.push(id) })
    assert.deepEqual(gone, [two.first])
    assert.deepEqual(await two.test.objects('records/'), [`records/${two.second}`])
    assert.equal((await two.test.objects('proofs/')).length, 2)
    assert.deepEqual((await checkRepository(two.test.repository, { level: 1, streamsOf })).damages, [])
  })

  it('is at worst unproven when a run is stopped on the way', async () => {
    for (let stopAt = 0; stopAt < 3; stopAt++) {
      await using two = await twoProven()
      let removed = 0
      const store = storeWith(two.test.store, {
        delete: async (...args) => {
          if (removed++ === stopAt) throw new Error('stopped')
          await two.test.store.delete(...args)
        },
      })
      const repository = await openRepository(store, { keys: [two.test.key] })
      await assert.rejects(forgetBackups(repository, [two.first]), { message: 'stopped' })
      assert.deepEqual((await checkRepository(two.test.repository, { level: 1, streamsOf })).damages, [])
      await forgetBackups(two.test.repository, [two.first])
      assert.equal((await two.test.objects('records/')).length, 1)
      assert.equal((await two.test.objects('proofs/')).length, 2)
    }
  })

  it('gets no proof any more, whenever that comes', async () => {
    await using two = await twoProven()
    const { repository } = two.test
    let isLate = false
    const store = storeWith(two.test.store, {
      delete: async (key, options) => {
        await two.test.store.delete(key, options)
        if (key === `records/${two.first}` && !isLate) {
          isLate = true
          await assert.rejects(repository.saveProof({ backup: two.first }, { of: two.first }), {
            code: 'backup-unknown',
          })
        }
      },
    })
    await forgetBackups(await openRepository(store, { keys: [two.test.key] }), [two.first])
    assert.ok(isLate)
    await assert.rejects(repository.saveProof({ backup: two.first }, { of: two.first }), { code: 'backup-unknown' })
    assert.deepEqual((await checkRepository(repository, { level: 1, streamsOf })).damages, [])
  })
})
