import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { storm } from './test-storm.ts'

// Minutes of it are the work of `npm run test:storm`.

const seed = randomInt(2 ** 31)

describe(`two backups and two prunes at once, killed at random (seed ${seed})`, () => {
  it('leave every backup sound that counts', { timeout: 240_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pgrevive-storm-'))
    try {
      const { kills, committed, checks, proven } = await storm({
        seconds: 20,
        seed,
        lifeSeconds: 4,
        place: join(folder, 'repository'),
        tell: () => undefined,
      })
      assert.ok(kills >= 4 && committed > 0 && checks > 1 && proven > 0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
