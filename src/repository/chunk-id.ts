import { createHmac, type KeyObject } from 'node:crypto'

export const chunkIdBytes = 16

/** The name of a chunk: what is equal has the same, and nobody without the key can tell it from the content. */
export function chunkId(key: KeyObject, content: Uint8Array): Buffer {
  return createHmac('sha256', key).update(content).digest().subarray(0, chunkIdBytes)
}
