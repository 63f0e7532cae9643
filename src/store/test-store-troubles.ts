import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { AppError, type ErrorCode } from '../core/app-error.ts'
import type { ObjectStore, OnTrouble } from './object-store.ts'
import { TestGateway } from './test-gateway.ts'

/** How a call must fail, and what no part of its error may hold. */
export interface ExpectedFailure {
  readonly code: ErrorCode
  readonly message: RegExp
  readonly hint: RegExp
  readonly secrets: RegExp
}

interface TestedPatience {
  readonly silenceMs?: number
  readonly firstMs?: number
  readonly laterMs?: number
  readonly tellMs?: number
  readonly onTrouble?: OnTrouble
}

export async function assertCallFails(call: () => Promise<unknown>, expected: ExpectedFailure): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof AppError && error.cause instanceof Error, String(error))
    assert.deepEqual(error.code, expected.code, error.message)
    assert.match(error.message, expected.message)
    assert.match(error.hint ?? '', expected.hint)
    assert.doesNotMatch(inspect(error, { depth: 20 }), expected.secrets)
    return true
  })
}

/** Whatever is asked of it. */
export async function assertStoreFails(store: ObjectStore, expected: ExpectedFailure): Promise<void> {
  await assertCallFails(() => store.put('object', [Buffer.from('x')]), expected)
  await assertCallFails(() => store.get('object'), expected)
  await assertCallFails(() => store.delete('object'), expected)
  await assertCallFails(() => Array.fromAsync(store.list('')), expected)
  await assertCallFails(() => store.now(), expected)
}

/**
 * Tries what a store does when its server, or the network to it, makes trouble. `open` gives one place each time, behind
 * another address of its server. To be called in a `describe`.
 */
export function describeStoreTroubles(options: {
  readonly backend: () => string
  readonly open: (address: string, patience: TestedPatience) => ObjectStore
  readonly secrets: RegExp
}): void {
  const content = Buffer.alloc(3_000_000, 'content ')
  const startGateway = async () => TestGateway.start(options.backend())
  const { secrets } = options

  describe('tries again', () => {
    for (const trouble of ['busy', 'silent', 'lost'] as const) {
      it(`what meets a ${trouble} server or network`, async () => {
        await using gateway = await startGateway()
        const store = options.open(gateway.endpoint, { silenceMs: 700, firstMs: 20_000, laterMs: 20_000 })
        const inSpiteOf = async <Result>(work: () => Promise<Result>) => {
          gateway.troubles = [trouble]
          const before = gateway.requests
          const result = await work()
          assert.ok(gateway.requests >= before + 2)
          return result
        }
        await inSpiteOf(() => store.put(`r/${trouble}`, [content]))
        assert.ok((await inSpiteOf(() => store.get(`r/${trouble}`))).equals(content))
        assert.equal((await inSpiteOf(() => Array.fromAsync(store.list('r/')))).at(-1)?.sizeBytes, content.length)
        await inSpiteOf(() => store.now())
        await inSpiteOf(() => store.delete(`r/${trouble}`))
        await assert.rejects(store.get(`r/${trouble}`), { code: 'object-missing' })
      })
    }

    for (const trouble of ['cut', 'stuck'] as const) {
      it(`what is ${trouble} in the middle`, async () => {
        await using gateway = await startGateway()
        const store = options.open(gateway.endpoint, { silenceMs: 700 })
        await store.put(`${trouble}/1`, [content])
        gateway.troubles = [trouble, trouble]
        assert.ok((await store.get(`${trouble}/1`)).equals(content))
        gateway.troubles = [trouble, trouble]
        assert.equal((await Array.fromAsync(store.list(`${trouble}/`))).length, 1)
        assert.deepEqual([gateway.troubles, gateway.requests], [[], 7])
      })
    }

    it('what arrives damaged', async () => {
      await using gateway = await startGateway()
      await assertDamageIsNoticed(options.open(gateway.endpoint, {}), gateway)
    })

    it('while the server is away, in the middle of an upload too, says so once, and gives up in the end', async () => {
      await using gateway = await startGateway()
      const told: string[] = []
      const onTrouble = (text: string) => told.push(text)
      const store = options.open(gateway.endpoint, { laterMs: 1000, tellMs: 100, onTrouble })
      await store.put('r/1', [content])
      gateway.troubles = ['silent']
      const later = store.put('r/2', [content])
      while (gateway.troubles.length > 0) await delay(10)
      await gateway.close()
      setTimeout(() => void gateway.listen(), 400)
      await later
      assert.ok((await store.get('r/2')).equals(content))
      await gateway.close()
      const message = /can not be reached/
      await assertStoreFails(store, { code: 'store-unreachable', message, hint: /what was stored is safe/, secrets })
      assert.equal(told.length, 2)
      for (const text of told) {
        assert.ok(text.startsWith(`${store.location}: `), text)
        assert.match(text, /(ECONN|hang up).*; trying again for up to 1 min$/)
      }
    })

    it('when the server is busy for too long, and says so', async () => {
      await using gateway = await startGateway()
      const store = options.open(gateway.endpoint, { laterMs: 200 })
      gateway.troubles = Array.from({ length: 1000 }, () => 'busy' as const)
      const message = /too busy/
      await assertStoreFails(store, { code: 'store-unreachable', message, hint: /what was stored is safe/, secrets })
    })

    it('until it is told to stop', async () => {
      await using gateway = await startGateway()
      const store = options.open(gateway.endpoint, {})
      await store.put('stop', [content])
      const reason = new Error('enough')
      for (const trouble of ['busy', 'silent', 'stuck'] as const) {
        gateway.troubles = Array.from({ length: 1000 }, () => trouble)
        const stop = new AbortController()
        setTimeout(() => stop.abort(reason), 300)
        await assert.rejects(store.get('stop', { signal: stop.signal }), reason)
      }
    })
  })
}

/** What is put arrives damaged twice, and is put a third time. */
export async function assertDamageIsNoticed(store: ObjectStore, gateway: TestGateway): Promise<void> {
  const content = Buffer.alloc(1_000_000, 'content ')
  gateway.troubles = ['garbled', 'garbled']
  const before = gateway.requests
  await store.put('garbled', [content])
  assert.equal(gateway.requests, before + 3)
  assert.ok((await store.get('garbled')).equals(content))
}
