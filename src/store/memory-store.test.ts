import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemoryStore } from './memory-store.ts'
import { describeStoreContract } from './test-store-contract.ts'

describeStoreContract('a memory store', async () => {
  const store = new MemoryStore()
  return { store, other: store }
})

describe('a memory store', () => {
  it('lives by the clock that it is given', async () => {
    let now = new Date('2030-01-01T00:00:00Z')
    const store = new MemoryStore({ clock: () => now })
    await store.put('first', [])
    now = new Date('2029-01-01T00:00:00Z')
    await store.put('second', [])
    const times = (await Array.fromAsync(store.list(''))).map(({ modifiedAt }) => modifiedAt.getUTCFullYear())
    assert.deepEqual([times, await store.now()], [[2030, 2029], now])
  })
})
