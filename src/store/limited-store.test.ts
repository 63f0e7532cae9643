import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LimitedStore } from './limited-store.ts'
import { MemoryStore } from './memory-store.ts'
import { type Clock, RateLimit } from './rate-limit.ts'
import { describeStoreContract } from './test-store-contract.ts'

describeStoreContract('a store with limits', async () => {
  const store = new MemoryStore()
  const limits = { upload: new RateLimit(1e9), download: new RateLimit(1e9) }
  return { store: new LimitedStore(store, limits), other: new LimitedStore(store, limits) }
})

/** Time that passes only when all who sleep wait for it. */
class PatientClock implements Clock {
  #nowMs = 0
  readonly #sleepers: { readonly untilMs: number; readonly wake: () => void }[] = []

  now(): number {
    return this.#nowMs
  }

  sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((wake, reject) => {
      this.#sleepers.push({ untilMs: this.#nowMs + durationMs, wake })
      signal?.addEventListener('abort', () => reject(new Error('not the reason')))
    })
  }

  /** Lets time pass until `work` is done, and says how much it took. */
  async run(work: Promise<unknown>): Promise<number> {
    let isDone = false
    const done = work.finally(() => (isDone = true))
    const startedMs = this.#nowMs
    for (;;) {
      await new Promise(setImmediate)
      if (isDone) break
      this.#sleepers.sort((a, b) => a.untilMs - b.untilMs)
      const next = this.#sleepers.shift()
      assert.ok(next, 'nobody sleeps, and the work is not done')
      this.#nowMs = Math.max(this.#nowMs, next.untilMs)
      next.wake()
    }
    await done
    return this.#nowMs - startedMs
  }
}

describe('a limit of 1 MB/s', () => {
  const open = (limits: 'upload' | 'download') => {
    const clock = new PatientClock()
    const memory = new MemoryStore()
    return { clock, memory, store: new LimitedStore(memory, { [limits]: new RateLimit(1e6, clock) }) }
  }
  const megabyte = Buffer.alloc(1e6)
  const isAbout = (actualMs: number, expectedMs: number) =>
    assert.ok(Math.abs(actualMs - expectedMs) <= 300, `${actualMs} ms, not ${expectedMs} ms`)

  it('lets ten megabytes up in ten seconds, in one object or in ten at once', async () => {
    const { clock, store } = open('upload')
    isAbout(await clock.run(store.put('large', [Buffer.alloc(4e6), Buffer.alloc(6e6)])), 10_000)
    const puts = Array.from({ length: 10 }, (_, n) => store.put(`r/${n}`, [megabyte]))
    isAbout(await clock.run(Promise.all(puts)), 10_000)
    isAbout(await clock.run(store.get('large')), 0)
  })

  it('lets them down so, whole, in part, and by folder', async () => {
    const { clock, memory, store } = open('download')
    for (const key of ['r/1', 'r/2']) await memory.put(key, [megabyte])
    isAbout(await clock.run(Promise.all([store.get('r/1'), store.get('r/2')])), 2000)
    isAbout(await clock.run(store.get('r/1', { range: { offset: 5, length: 500_000 } })), 500)
    isAbout(await clock.run(Array.fromAsync(store.readFolder('r/', { wanted: () => true }))), 2000)
    isAbout(await clock.run(store.put('r/3', [megabyte])), 0)
  })

  it('lets nobody wait for long behind what is large', async () => {
    const { clock, store } = open('upload')
    const large = [0, 1, 2].map((n) => store.put(`large/${n}`, [Buffer.alloc(20e6)]))
    await clock.run(store.put('before', [Buffer.alloc(1000)]))
    isAbout(await clock.run(store.put('small', [Buffer.alloc(1000)])), 100)
    await clock.run(Promise.all(large))
    isAbout(clock.now(), 60_000)
  })

  it('is no reason to wait after a rest, nor to hurry', async () => {
    const { clock, store } = open('upload')
    await clock.run(clock.sleep(3600_000, undefined))
    isAbout(await clock.run(store.put('large', [Buffer.alloc(10e6)])), 10_000)
  })

  it('stops when it is told to, with the reason', async () => {
    const { clock, memory, store } = open('upload')
    const stop = new AbortController()
    const reason = new Error('enough')
    const putting = store.put('large', [Buffer.alloc(10e6)], { signal: stop.signal })
    await clock.run(store.put('small', [Buffer.alloc(100_000)]))
    stop.abort(reason)
    await assert.rejects(putting, reason)
    assert.deepEqual(
      (await Array.fromAsync(memory.list(''))).map(({ key }) => key),
      ['small'],
    )
  })
})
