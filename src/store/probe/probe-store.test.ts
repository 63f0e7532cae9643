import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AppError } from '../../core/app-error.ts'
import { DirectoryStore } from '../directory/directory-store.ts'
import { MemoryStore } from '../memory-store.ts'
import type { AbortOptions, ObjectInfo, ObjectStore } from '../object-store.ts'
import { probePrefix, probeStore } from './probe-store.ts'
import { describeTraits } from './store-traits.ts'

/** What was found, in short: "overwrite: possible (note)". */
async function probe(store: ObjectStore): Promise<string[]> {
  const findings = await probeStore(store, {})
  return findings.map(({ check, answer, verdict }) => `${check}: ${answer} (${verdict})`)
}

const allWell = [
  'write: yes (good)',
  'list after write: yes (good)',
  'read, whole and in part: yes (good)',
  'overwrite: possible (note)',
  'remove: possible (note)',
  'clock: same (good)',
]

/** The findings of a store that does all as it should, but for these. */
function except(...findings: string[]): string[] {
  return allWell.map((usual) => findings.find((one) => one.split(':')[0] === usual.split(':')[0]) ?? usual)
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  return (await Array.fromAsync(store.list(''))).map(({ key }) => key)
}

function denied(): Promise<never> {
  return Promise.reject(new AppError('store-denied', 'no right', { hint: 'ask for it' }))
}

describe('the probe of a store', () => {
  it('finds all well where it is, and leaves nothing behind', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-probe-'))
    for (const store of [new MemoryStore(), await DirectoryStore.open(directory)]) {
      await store.put('records/1', [Buffer.from('somebody’s')])
      assert.deepEqual(await probe(store), allWell)
      assert.deepEqual(await keysOf(store), ['records/1'])
    }
    await rm(directory, { recursive: true })
  })

  it('removes what earlier probes had to leave, an hour later', async () => {
    let now = new Date()
    const store = new MemoryStore({ clock: () => now })
    await store.put(`${probePrefix}old`, [])
    now = new Date(now.getTime() + 3600_000)
    await store.put(`${probePrefix}young`, [])
    now = new Date(now.getTime() + 1)
    await probe(store)
    assert.deepEqual(await keysOf(store), [`${probePrefix}young`])
  })

  it('says what credentials may not do', async () => {
    class WriteOnce extends MemoryStore {
      override async put(key: string, parts: readonly Uint8Array[]): Promise<void> {
        return (await keysOf(this)).includes(key) ? denied() : super.put(key, parts)
      }
      override delete = denied
    }
    const store = new WriteOnce()
    assert.deepEqual(await probe(store), except('overwrite: refused (good)', 'remove: refused (good)'))
    assert.equal((await keysOf(store)).length, 1)

    class Unwritable extends MemoryStore {
      override put = denied
    }
    const [only, ...others] = await probeStore(new Unwritable(), {})
    assert.deepEqual([only?.verdict, only?.error?.hint, others], ['bad', 'ask for it', []])
  })

  it('finds out a store that does not do what it should', async () => {
    class Forgetful extends MemoryStore {
      override async *list(prefix: string, options?: AbortOptions): AsyncIterable<ObjectInfo> {
        for await (const info of super.list(prefix, options)) if (!info.key.startsWith(probePrefix)) yield info
      }
    }
    assert.deepEqual(await probe(new Forgetful()), except('list after write: no (bad)'))

    class Stale extends MemoryStore {
      override async put(key: string, parts: readonly Uint8Array[]): Promise<void> {
        if (!(await keysOf(this)).includes(key)) return super.put(key, parts)
      }
    }
    const stale = await probe(new Stale())
    assert.ok(stale.includes('read after overwrite: stale (bad)'), stale.join())

    class Garbling extends MemoryStore {
      override async get(key: string): Promise<Buffer> {
        return Buffer.from((await super.get(key)).toString().toUpperCase())
      }
    }
    assert.ok((await probe(new Garbling())).includes('read, whole and in part: no (bad)'))

    class Undying extends MemoryStore {
      override async delete(): Promise<void> {}
    }
    assert.deepEqual(await probe(new Undying()), except('remove: no (bad)'))
  })

  it('says how wrong a clock is', async () => {
    const store = (hours: number) => new MemoryStore({ clock: () => new Date(Date.now() + hours * 3600_000) })
    assert.deepEqual(await probe(store(2)), except('clock: 7200 s ahead (note)'))
    assert.deepEqual(await probe(store(-1)), except('clock: 3600 s behind (note)'))
  })

  it('says what follows from what a store tells of itself', () => {
    const shortOf = (...args: Parameters<typeof describeTraits>) =>
      describeTraits(...args).map(({ answer, verdict }) => `${answer} (${verdict})`)
    assert.deepEqual(
      shortOf({ conditionalPut: true, versioning: 'on', objectLock: { mode: 'GOVERNANCE', period: '30 days' } }),
      ['yes (good)', 'yes (good)', '30 days (good)'],
    )
    assert.deepEqual(shortOf({ conditionalPut: false, versioning: 'suspended', objectLock: 'on' }), [
      'no (good)',
      'suspended (note)',
      'possible (note)',
    ])
    assert.deepEqual(shortOf({ conditionalPut: undefined, versioning: undefined, objectLock: undefined }), [
      'unknown (good)',
      'unknown (note)',
      'unknown (note)',
    ])
  })
})
