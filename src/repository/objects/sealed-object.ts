import type { KeyObject } from 'node:crypto'
import { type AppError, hasCode } from '../../core/app-error.ts'
import { releaseMemory } from '../../core/release-memory.ts'
import type { AbortOptions, ObjectStore } from '../../store/object-store.ts'
import { decodeTime, TIME_MAX, ulid } from 'ulid'
import { seal, unseal } from './aead.ts'
import { damagedObject } from './damaged-object.ts'
import { sealedIdOf, sealedKey, sealedPrefix, type SealedKind } from './object-keys.ts'
import { readFrame, writeFrame } from './zstd-frame.ts'

/** A sealed object holds less than this, or it is damaged. */
const largestContentBytes = 256 * 1024 * 1024

export interface SealedObjectInfo {
  readonly id: string
  readonly key: string
  readonly sizeBytes: number
  /** By the store's clock. */
  readonly modifiedAt: Date
}

/** Writes `content` under its id, to which it is bound. Returns the number of bytes stored. */
export async function putSealed(
  store: ObjectStore,
  key: KeyObject,
  object: { readonly kind: SealedKind; readonly id: string; readonly content: Uint8Array },
  options: AbortOptions = {},
): Promise<number> {
  const parts = seal(key, associatedData(object.kind, object.id), [writeFrame(object.content)])
  await store.put(sealedKey(object.kind, object.id), parts, options)
  return parts.reduce((bytes, part) => bytes + part.length, 0)
}

/** The content of a sealed object. Rejects with `object-missing` or `object-damaged`. */
export async function getSealed(
  store: ObjectStore,
  key: KeyObject,
  object: { readonly kind: SealedKind; readonly id: string },
  options: AbortOptions = {},
): Promise<Buffer> {
  const sealed = await store.get(sealedKey(object.kind, object.id), options)
  const content = openSealed(key, object, sealed)
  releaseMemory(sealed)
  return content
}

function openSealed(key: KeyObject, { kind, id }: { kind: SealedKind; id: string }, sealed: Buffer): Buffer {
  try {
    const frame = unseal(key, associatedData(kind, id), sealed)
    const content = readFrame(frame, largestContentBytes)
    if (content.buffer !== frame.buffer) releaseMemory(frame)
    return content
  } catch (error) {
    throw damagedObject(sealedKey(kind, id), error)
  }
}

/**
 * All objects of a kind with what `open` makes of their contents, in the order of their ids, some at a time. An
 * `object-damaged` stands in the place of what can not be opened, or what `open` throws it for.
 */
export async function* readSealed<Value>(
  store: ObjectStore,
  key: KeyObject,
  kind: SealedKind,
  open: (content: Buffer, info: SealedObjectInfo) => Value,
  options: AbortOptions = {},
): AsyncIterable<(SealedObjectInfo & { readonly value: Value | AppError })[]> {
  const wanted = (objectKey: string) => sealedIdOf(kind, objectKey) !== undefined
  for await (const objects of store.readFolder(sealedPrefix(kind), { ...options, wanted })) {
    yield objects.map(({ key: objectKey, sizeBytes, modifiedAt, bytes }) => {
      const info = { id: sealedIdOf(kind, objectKey) ?? '', key: objectKey, sizeBytes, modifiedAt }
      if (!Buffer.isBuffer(bytes)) return { ...info, value: bytes }
      try {
        return { ...info, value: open(openSealed(key, { kind, id: info.id }, bytes), info) }
      } catch (error) {
        if (!hasCode(error, 'object-damaged')) throw error
        return { ...info, value: error }
      }
    })
  }
}

/** The objects of a kind in the order of their ids. Whatever else lies in the folder is ignored. */
export async function* listSealed(
  store: ObjectStore,
  kind: SealedKind,
  options: AbortOptions = {},
): AsyncIterable<SealedObjectInfo> {
  for await (const { key, sizeBytes, modifiedAt } of store.list(sealedPrefix(kind), options)) {
    const id = sealedIdOf(kind, key)
    if (id !== undefined) yield { id, key, sizeBytes, modifiedAt }
  }
}

/**
 * An id for a new object of a kind, after all that are there: the order of ids is the order in which they were given,
 * even when a writer's clock was set back.
 */
export async function nextSealedId(store: ObjectStore, kind: SealedKind, options: AbortOptions = {}): Promise<string> {
  let latest = Date.now()
  for await (const { id } of listSealed(store, kind, options)) latest = Math.max(latest, decodeTime(id) + 1)
  return ulid(Math.min(latest, TIME_MAX))
}

function associatedData(kind: SealedKind, id: string): Buffer {
  return Buffer.from(`${kind}1/${id}`)
}
