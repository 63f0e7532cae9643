import type { KeyObject } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { releaseMemory } from '../../core/release-memory.ts'
import { seal, sealBytes, unseal } from '../objects/aead.ts'
import { chunkId } from './chunk-id.ts'

/** No blob is larger, stored or raw; a larger one is a damaged one. */
export const largestBlobBytes = 64 * 1024 * 1024
/** Nonce, codec and tag of an empty blob. */
export const smallestBlobBytes = sealBytes + 1

/** Less is stored as it is: lists of a few chunks do not get smaller. */
const worthwhileBytes = 64

const codecRaw = 0
const codecZstd = 1
const rawPrefix = Buffer.from([codecRaw])
const zstdPrefix = Buffer.from([codecZstd])
const label = Buffer.from('b1')

/** One chunk as a pack holds it, in pieces. `id` is bound to it, so that one blob can not stand in for another. */
export function encodeBlob(raw: Uint8Array, options: { id: Uint8Array; key: KeyObject; level: number }): Buffer[] {
  const aad = Buffer.concat([label, options.id])
  if (raw.length < worthwhileBytes) return seal(options.key, aad, [rawPrefix, raw])
  const compressed = compress(raw, options.level)
  const isSmaller = compressed.length < raw.length
  const sealed = seal(options.key, aad, isSmaller ? [zstdPrefix, compressed] : [rawPrefix, raw])
  releaseMemory(compressed)
  return sealed
}

interface StoredBlob {
  readonly id: Uint8Array
  readonly key: KeyObject
  readonly rawBytes: number
}

/** The chunk again, once its content has been found to be what `id` names. Throws otherwise. */
export function decodeBlob(stored: Uint8Array, blob: StoredBlob & { readonly chunkIdKey: KeyObject }): Buffer {
  const raw = openBlob(stored, blob)
  if (!chunkId(blob.chunkIdKey, raw).equals(blob.id)) throw new RangeError('its content is not what its id says')
  return raw
}

/** Throws unless what will be stored becomes `raw` again: memory and processors do make mistakes. */
export function verifyBlob(stored: Uint8Array, raw: Uint8Array, blob: Omit<StoredBlob, 'rawBytes'>): void {
  const opened = openBlob(stored, { ...blob, rawBytes: raw.length })
  if (!opened.equals(raw)) throw new RangeError('its content has changed')
  releaseMemory(opened)
}

function openBlob(stored: Uint8Array, { id, key, rawBytes }: StoredBlob): Buffer {
  const plain = unseal(key, Buffer.concat([label, id]), stored)
  const raw = decompress(plain, rawBytes)
  if (raw.length !== rawBytes) throw new RangeError('its content is not as long as it should be')
  if (raw.buffer !== plain.buffer) releaseMemory(plain)
  return raw
}

function compress(raw: Uint8Array, level: number): Buffer {
  return zstdCompressSync(raw, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    chunkSize: Math.max(64, raw.length + 1), // all at once
    pledgedSrcSize: raw.length, // smaller tables, and the frame says how long the chunk is
  })
}

function decompress(plain: Buffer, rawBytes: number): Buffer {
  const payload = plain.subarray(1)
  if (plain[0] === codecRaw) return payload
  if (plain[0] !== codecZstd) throw new RangeError(`its codec ${plain[0]} is unknown`)
  // a byte of room to spare: else Node takes the full buffer for a sign of more to come, and allocates it once again
  return zstdDecompressSync(payload, { chunkSize: Math.max(64, rawBytes + 1), maxOutputLength: Math.max(1, rawBytes) })
}
