import { hash, type KeyObject } from 'node:crypto'

export const chunkIdBytes = 16

const blockBytes = 64 // of SHA-256
const pads = new WeakMap<KeyObject, { readonly inner: Buffer; readonly outer: Buffer }>()
let padded = Buffer.alloc(0)

/**
 * The name of a chunk: what is equal has the same, and nobody without the key can tell it from the content. The first
 * half of HMAC-SHA-256, as RFC 2104 puts it together: two hashes at once are faster than an Hmac object for each chunk.
 */
export function chunkId(key: KeyObject, content: Uint8Array): Buffer {
  const { inner, outer } = padsOf(key)
  const length = blockBytes + content.length
  if (padded.length < length) padded = Buffer.allocUnsafeSlow(length)
  inner.copy(padded)
  padded.set(content, blockBytes)
  const digest = hash('sha256', padded.subarray(0, length), 'buffer')
  return hash('sha256', Buffer.concat([outer, digest]), 'buffer').subarray(0, chunkIdBytes)
}

function padsOf(key: KeyObject): { readonly inner: Buffer; readonly outer: Buffer } {
  const known = pads.get(key)
  if (known) return known
  const block = Buffer.alloc(blockBytes)
  key.export().copy(block)
  const made = { inner: block.map((byte) => byte ^ 0x36) as Buffer, outer: block.map((byte) => byte ^ 0x5c) as Buffer }
  pads.set(key, made)
  return made
}
