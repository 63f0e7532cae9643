import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ObjectStore } from '../../store/object-store.ts'
import { PassingTimeStore } from '../../store/test-passing-time.ts'
import { checkRepository } from '../check/check-repository.ts'
import type { StreamRef } from '../chunks/stream-ref.ts'
import { createRepository } from '../create-repository.ts'
import type { Repository } from '../repository.ts'
import { decideRetention } from '../retention/retention.ts'
import { forgetBackups } from '../retention/forget-backups.ts'
import { everything } from '../backups/manifest.ts'
import { backUp, readStream } from '../test-repository.ts'
import { pruneRepository } from './prune-repository.ts'
import { rows, streamsOf } from './test-prune.ts'

/** What retention and prune promise, on an empty store that `open` gives. */
export function describePruneOn(
  where: string,
  open: () => Promise<ObjectStore>,
  { skip }: { readonly skip?: string | undefined } = {},
): void {
  describe(`forgetting and pruning ${where}`, { timeout: 120_000, ...(skip !== undefined && { skip }) }, () => {
    it('keeps what the policy says, frees what it says, and leaves the rest readable', async () => {
      const store = new PassingTimeStore(await open())
      const { repository } = await createRepository(store, { averageChunkBytes: 4096 })
      const kept = new Map<string, { readonly stream: StreamRef; readonly bytes: Buffer }>()
      let removedPacks = 0
      let repackedPacks = 0
      for (let day = 0; day < 8; day++) {
        const bytes = Buffer.concat([rows(day * 1000, 300), rows(100_000, 500)])
        const { id, stream } = await backUp(repository, bytes)
        kept.set(id, { stream, bytes })
        for (const forgotten of await decide(repository, store)) {
          await forgetBackups(repository, [forgotten])
          kept.delete(forgotten)
        }
        const before = await sizeOf(store)
        const [report] = await Promise.all([
          pruneRepository(repository, { streamsOf, maxRepackBytes: 1e9 }),
          // another one at the same time, on odd days, sees the same and does nothing wrong
          ...(day % 2 === 1 ? [pruneRepository(repository, { streamsOf, maxRepackBytes: 1 })] : []),
        ])
        removedPacks += report.removed.packs
        repackedPacks += report.repacked.packs
        if (day % 2 === 0) assert.equal(await sizeOf(store), before + report.storedBytes - report.freedBytes)
        store.pass(25)
      }
      assert.equal(kept.size, 2)
      assert.ok(removedPacks > 2 && repackedPacks > 0, `${removedPacks} removed, ${repackedPacks} rewritten`)
      for (const { stream, bytes } of kept.values()) assert.ok((await readStream(repository, stream)).equals(bytes))
      const { damages, checked } = await checkRepository(repository, { level: 3, streamsOf })
      assert.deepEqual([damages, checked.records], [[], kept.size])
    })
  })
}

async function decide(repository: Repository, store: ObjectStore): Promise<string[]> {
  const backups = (await Array.fromAsync(repository.records())).flatMap((record) => {
    if (record.state === 'damaged') return []
    const { id, committedAt: takenAt } = record
    const about = { database: 'shop', selection: everything, proof: undefined, pin: undefined }
    return [{ ...about, id, takenAt, isUnverified: record.state === 'unverified' }]
  })
  const decisions = decideRetention(backups, { policyOf: () => ({ keepDaily: 2 }), now: await store.now() })
  return decisions.filter(({ keep }) => !keep).map(({ backup }) => backup.id)
}

async function sizeOf(store: ObjectStore): Promise<number> {
  return (await Array.fromAsync(store.list(''))).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
