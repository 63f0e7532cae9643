import { z } from 'zod'
import { hasCode, type AppError } from '../core/app-error.ts'
import type { AbortOptions } from '../store/object-store.ts'
import { commitWindowMs } from './commit-check.ts'
import { damagedObject } from './damaged-object.ts'
import type { JsonValue } from './json-value.ts'
import { sealedKey, type SealedKind } from './object-keys.ts'
import { readAhead } from './read-ahead.ts'
import type { RepositoryContext } from './repository-context.ts'
import { getSealed, listSealed, putSealed, type SealedObjectInfo } from './sealed-object.ts'

/** A commit: what its session wrote is kept as long as it exists. */
export interface CommittedRecord {
  /** A ULID: later ones sort later. */
  readonly id: string
  /** `unverified`: it was stored too long after its commit check; `checkRepository` tells whether all is there. */
  readonly state: 'committed' | 'unverified'
  /** Both by the store's clock. */
  readonly checkedAt: Date
  readonly committedAt: Date
  readonly body: unknown
}

export interface DamagedRecord {
  readonly id: string
  readonly state: 'damaged'
  readonly error: AppError
}

export type StoredRecord = CommittedRecord | DamagedRecord

/** A statement about records that is made later, such as that one was restored. */
export type StoredProof =
  { readonly id: string; readonly state: 'saved'; readonly savedAt: Date; readonly body: unknown } | DamagedRecord

const recordSchema = z.object({ checkedAt: z.iso.datetime(), body: z.unknown() })
const proofSchema = z.object({ body: z.unknown() })

/** Returns the number of bytes stored. */
export async function putRecord(
  { store, keys }: RepositoryContext,
  record: { readonly id: string; readonly checkedAt: Date; readonly body: JsonValue },
  options: AbortOptions = {},
): Promise<number> {
  const content = Buffer.from(JSON.stringify({ checkedAt: record.checkedAt.toISOString(), body: record.body }))
  return putSealed(store, keys.metadata, { kind: 'record', id: record.id, content }, options)
}

export async function putProof(
  { store, keys }: RepositoryContext,
  proof: { readonly id: string; readonly body: JsonValue },
  options: AbortOptions = {},
): Promise<void> {
  const content = Buffer.from(JSON.stringify({ body: proof.body }))
  await putSealed(store, keys.metadata, { kind: 'proof', id: proof.id, content }, options)
}

/** Undefined if it has been removed. */
export async function getRecord(
  context: RepositoryContext,
  { id, modifiedAt }: SealedObjectInfo,
  options: AbortOptions = {},
): Promise<StoredRecord | undefined> {
  const read = await getJson(context, { kind: 'record', id, schema: recordSchema }, options)
  if (!read || 'error' in read) return read && { id, state: 'damaged', error: read.error }
  const checkedAt = new Date(read.value.checkedAt)
  return {
    id,
    state: isLate(context, { checkedAt, committedAt: modifiedAt }) ? 'unverified' : 'committed',
    checkedAt,
    committedAt: modifiedAt,
    body: read.value.body,
  }
}

/** In the order of their ids. */
export async function* records(context: RepositoryContext, options: AbortOptions = {}): AsyncIterable<StoredRecord> {
  const list = listSealed(context.store, 'record', options)
  const read = (info: SealedObjectInfo, { signal }: { signal: AbortSignal }) => getRecord(context, info, { signal })
  for await (const record of readAhead(list, 8, read, options)) if (record) yield record
}

/** In the order of their ids. */
export async function* proofs(context: RepositoryContext, options: AbortOptions = {}): AsyncIterable<StoredProof> {
  const read = async ({ id, modifiedAt }: SealedObjectInfo, { signal }: { signal: AbortSignal }) => {
    const proof = await getJson(context, { kind: 'proof', id, schema: proofSchema }, { signal })
    if (!proof || 'error' in proof) return proof && ({ id, state: 'damaged', error: proof.error } as const)
    return { id, state: 'saved', savedAt: modifiedAt, body: proof.value.body } as const
  }
  for await (const proof of readAhead(listSealed(context.store, 'proof', options), 8, read, options)) {
    if (proof) yield proof
  }
}

/** Whether the commit window was missed. */
export function isLate(
  context: RepositoryContext,
  { checkedAt, committedAt }: { readonly checkedAt: Date; readonly committedAt: Date },
): boolean {
  return committedAt.getTime() > checkedAt.getTime() + commitWindowMs(context)
}

async function getJson<Value>(
  { store, keys }: RepositoryContext,
  object: { readonly kind: SealedKind; readonly id: string; readonly schema: z.ZodType<Value> },
  options: AbortOptions,
): Promise<{ readonly value: Value } | { readonly error: AppError } | undefined> {
  try {
    const content = await getSealed(store, keys.metadata, object, options)
    return { value: parseJson(object, content) }
  } catch (error) {
    if (hasCode(error, 'object-missing')) return undefined
    if (hasCode(error, 'object-damaged')) return { error }
    throw error
  }
}

function parseJson<Value>(
  object: { readonly kind: SealedKind; readonly id: string; readonly schema: z.ZodType<Value> },
  content: Buffer,
): Value {
  try {
    return object.schema.parse(JSON.parse(content.toString('utf8')))
  } catch (error) {
    throw damagedObject(sealedKey(object.kind, object.id), error)
  }
}
