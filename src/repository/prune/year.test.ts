import assert from 'node:assert/strict'
import { stat, utimes } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { forgetBackups } from '../retention/forget-backups.ts'
import { everything } from '../backups/manifest.ts'
import { openRepository } from '../open-repository.ts'
import { decideRetention } from '../retention/retention.ts'
import { backUp, readStream, storeWith, TestRepository } from '../test-repository.ts'
import { pruneRepository } from './prune-repository.ts'
import { rows, streamsOf } from './test-prune.ts'

const dayMs = 24 * 3600 * 1000
/** A year takes half a minute. */
const days = Number(process.env['PGREVIVE_TEST_DAYS'] ?? 60)

describe(`${days} days of a nightly backup, forget and prune`, { timeout: 600_000 }, () => {
  it('leave what the policy says, all of it readable, and the space of the rest is free', async () => {
    await using test = await TestRepository.create()
    let now = new Date(Date.now() - (days + 5) * dayMs)
    const store = storeWith(test.store, {
      now: async () => now,
      put: async (key, parts, options) => {
        await test.store.put(key, parts, options)
        await utimes(test.path(key), now, now)
      },
    })
    const repository = await openRepository(store, { keys: [test.key] })
    const contents = new Map<string, Buffer>()
    const policy = { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 }
    let expectedBytes = await storedBytes(test)
    for (let day = 0; day < days; day++) {
      // a table that grows at its end, and in which old rows change
      const bytes = Buffer.concat([rows(day * 5000, 40), rows(0, 300), rows(100_000 + day * 100, 60)])
      const { id, stream, stats } = await backUp(repository, bytes)
      contents.set(id, bytes)
      assert.ok(stream)
      expectedBytes += stats.storedBytes
      const retained = (await Array.fromAsync(repository.records())).map((record) => {
        assert.equal(record.state, 'committed')
        return {
          id: record.id,
          database: 'shop',
          selection: everything,
          takenAt: record.state === 'committed' ? record.committedAt : new Date(NaN),
          isUnverified: false,
          proof: undefined,
          pin: undefined,
        }
      })
      const decisions = decideRetention(retained, { policyOf: () => policy, now })
      const forgotten = decisions.filter(({ keep }) => !keep).map(({ backup }) => backup.id)
      for (const one of forgotten) expectedBytes -= (await stat(test.path(`records/${one}`))).size
      await forgetBackups(repository, forgotten)
      const report = await pruneRepository(repository, { streamsOf })
      expectedBytes += report.storedBytes - report.freedBytes
      assert.equal(await storedBytes(test), expectedBytes)
      now = new Date(now.getTime() + dayMs)
    }
    const left = await Array.fromAsync(repository.records())
    assert.ok(left.length >= 7 && left.length <= 7 + 4 + 12)
    let neededBytes = 0
    for await (const record of repository.records()) {
      assert.ok(record.state === 'committed')
      for await (const { stream } of streamsOf(record, await repository.openReader())) {
        const bytes = await readStream(repository, stream)
        assert.ok(bytes.equals(contents.get(record.id) ?? Buffer.alloc(0)))
        neededBytes += bytes.length
      }
    }
    assert.ok(expectedBytes < neededBytes, `${expectedBytes} bytes for ${neededBytes}`)
  })
})

async function storedBytes(test: TestRepository): Promise<number> {
  const sizes = await Promise.all((await test.objects()).map(async (key) => (await stat(test.path(key))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
