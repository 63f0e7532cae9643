import crypto, { createSecretKey } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { seal } from '../objects/aead.ts'
import { installCheapCrypto } from './test-cheap-crypto.ts'
import { beginningMs, type World } from './test-world.ts'

const real = {
  now: Date.now,
  monotonic: performance.now.bind(performance),
  randomFillSync: crypto.randomFillSync,
  randomBytes: crypto.randomBytes,
  randomUUID: crypto.randomUUID,
  getRandomValues: globalThis.crypto.getRandomValues.bind(globalThis.crypto),
}

let current: World | undefined
let isInstalled = false
let hasFilled = false

/**
 * While `work` lasts, clocks tell the time of the host whose code runs, and random bytes come from the world's seed, so
 * that a seed gives the same schedule again. One world at a time.
 */
export async function inWorld<Result>(world: World, work: () => Promise<Result>): Promise<Result> {
  if (!isInstalled) install()
  current = world
  try {
    wasteNonces()
    return await work()
  } finally {
    current = undefined
  }
}

/** For good, since it takes longer than a schedule: outside of worlds all is as it was. */
function install(): void {
  isInstalled = true
  Date.now = () => (current ? Math.floor(current.running?.wallMs ?? current.nowMs) : real.now())
  performance.now = () => (current ? current.nowMs - beginningMs : real.monotonic())
  Object.assign(crypto, {
    randomFillSync: (view: NodeJS.ArrayBufferView) => fill(view) ?? real.randomFillSync(view),
    randomBytes: (size: number) => fill(Buffer.alloc(size)) ?? real.randomBytes(size),
    randomUUID: () => fill(Buffer.alloc(16))?.toString('hex').replace(uuid, '$1-$2-$3-$4-') ?? real.randomUUID(),
  })
  installCheapCrypto(() => current !== undefined)
  globalThis.crypto.getRandomValues = (view) => (fill(view) && view) ?? real.getRandomValues(view)
  syncBuiltinESMExports()
}

const uuid = /^(.{8})(.{4})(.{4})(.{4})/

/** undefined outside of worlds. */
function fill<View extends NodeJS.ArrayBufferView>(view: View): View | undefined {
  if (!current) return undefined
  hasFilled = true
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength)
  let index = 0
  for (; index + 4 <= bytes.length; index += 4) bytes.writeUInt32LE(current.random() * 2 ** 32, index)
  for (; index < bytes.length; index++) bytes[index] = current.random() * 256
  return view
}

/** Those that are left from an earlier world would make a difference. */
function wasteNonces(): void {
  const key = createSecretKey(Buffer.alloc(32))
  hasFilled = false
  while (!hasFilled) seal(key, Buffer.alloc(0), [])
}
