import crypto, { createSecretKey } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { seal } from '../objects/aead.ts'
import type { World } from './test-world.ts'

/**
 * While `work` lasts, clocks tell the time of the host whose code runs, and random bytes come from the world's seed, so
 * that a seed gives the same schedule again.
 */
export async function inWorld(world: World, work: () => Promise<void>): Promise<void> {
  const { now } = Date
  const monotonic = performance.now.bind(performance)
  const { randomFillSync, randomBytes, randomUUID } = crypto
  const getRandomValues = globalThis.crypto.getRandomValues.bind(globalThis.crypto)
  let hasFilled = false
  const fill = <View extends ArrayBufferView>(view: View): View => {
    hasFilled = true
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength)
    for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(world.random() * 256)
    return view
  }
  Date.now = () => Math.floor(world.running?.wallMs ?? world.nowMs)
  performance.now = () => world.nowMs - Date.parse('2026-01-01T00:00:00Z')
  Object.assign(crypto, {
    randomFillSync: fill,
    randomBytes: (size: number) => fill(Buffer.alloc(size)),
    randomUUID: () =>
      fill(Buffer.alloc(16))
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  })
  globalThis.crypto.getRandomValues = fill
  syncBuiltinESMExports()
  try {
    const key = createSecretKey(Buffer.alloc(32))
    while (!hasFilled) seal(key, Buffer.alloc(0), []) // nonces that are left from before would make a difference
    await work()
  } finally {
    Date.now = now
    performance.now = monotonic
    Object.assign(crypto, { randomFillSync, randomBytes, randomUUID })
    globalThis.crypto.getRandomValues = getRandomValues
    syncBuiltinESMExports()
  }
}
