import { z } from 'zod'
import { AppError, hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { commitWindowMs } from './commit-check.ts'
import { damagedObject } from '../objects/damaged-object.ts'
import type { JsonValue } from '../objects/json-value.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { getSealed, nextSealedId, putSealed, readSealed, type SealedObjectInfo } from '../objects/sealed-object.ts'

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

/** What is said later: that a record was restored (a proof), what somebody wants of it (a note), who has access. */
export type StoredStatement =
  { readonly id: string; readonly state: 'saved'; readonly savedAt: Date; readonly body: unknown } | DamagedRecord

const recordSchema = z.object({ checkedAt: z.iso.datetime(), body: z.unknown() })
export type StatementKind = 'proof' | 'note' | 'access' | 'key'

const statementSchema = z.object({ body: z.unknown() })

/** Returns the number of bytes stored. */
export async function putRecord(
  { store, keys }: RepositoryContext,
  record: { readonly id: string; readonly checkedAt: Date; readonly body: JsonValue },
  options: AbortOptions = {},
): Promise<number> {
  const content = Buffer.from(JSON.stringify({ checkedAt: record.checkedAt.toISOString(), body: record.body }))
  return putSealed(store, keys.metadata, { kind: 'record', id: record.id, content }, options)
}

/** Returns its id once it is durable. `id`: in the place of a damaged one. */
export async function putStatement(
  { store, keys }: RepositoryContext,
  statement: { readonly kind: StatementKind; readonly body: JsonValue; readonly id?: string | undefined },
  options: AbortOptions = {},
): Promise<string> {
  const { kind, body } = statement
  const id = statement.id ?? (await nextSealedId(store, kind, options))
  await putSealed(store, keys.metadata, { kind, id, content: Buffer.from(JSON.stringify({ body })) }, options)
  return id
}

/** Undefined if it has been removed. */
export async function getRecord(
  context: RepositoryContext,
  info: SealedObjectInfo,
  options: AbortOptions = {},
): Promise<StoredRecord | undefined> {
  const { store, keys } = context
  const { id } = info
  try {
    return recordOf(context, info, await getSealed(store, keys.metadata, { kind: 'record', id }, options))
  } catch (error) {
    if (hasCode(error, 'object-missing')) return undefined
    if (hasCode(error, 'object-damaged')) return { id, state: 'damaged', error }
    throw error
  }
}

/** In the order of their ids. */
export async function* records(context: RepositoryContext, options: AbortOptions = {}): AsyncIterable<StoredRecord> {
  const { store, keys } = context
  const open = (content: Buffer, info: SealedObjectInfo) => recordOf(context, info, content)
  for await (const batch of readSealed(store, keys.metadata, 'record', open, options)) {
    for (const { id, value } of batch) yield value instanceof AppError ? { id, state: 'damaged', error: value } : value
  }
}

/** In the order of their ids. */
export async function* statements(
  context: RepositoryContext,
  kind: StatementKind,
  options: AbortOptions = {},
): AsyncIterable<StoredStatement> {
  const { store, keys } = context
  const open = (content: Buffer, { id, key, modifiedAt }: SealedObjectInfo): StoredStatement => {
    const { body } = parseJson(key, content, statementSchema)
    return { id, state: 'saved', savedAt: modifiedAt, body }
  }
  for await (const batch of readSealed(store, keys.metadata, kind, open, options)) {
    for (const { id, value } of batch) yield value instanceof AppError ? { id, state: 'damaged', error: value } : value
  }
}

/** Throws `object-damaged`. */
function recordOf(context: RepositoryContext, info: SealedObjectInfo, content: Buffer): CommittedRecord {
  const { id, key, modifiedAt: committedAt } = info
  const { checkedAt: time, body } = parseJson(key, content, recordSchema)
  const checkedAt = new Date(time)
  const state = isLate(context, { checkedAt, committedAt }) ? 'unverified' : 'committed'
  return { id, state, checkedAt, committedAt, body }
}

/** Whether the commit window was missed. */
export function isLate(
  context: RepositoryContext,
  { checkedAt, committedAt }: { readonly checkedAt: Date; readonly committedAt: Date },
): boolean {
  return committedAt.getTime() > checkedAt.getTime() + commitWindowMs(context)
}

function parseJson<Value>(key: string, content: Buffer, schema: z.ZodType<Value>): Value {
  try {
    return schema.parse(JSON.parse(content.toString('utf8')))
  } catch (error) {
    throw damagedObject(key, error)
  }
}
