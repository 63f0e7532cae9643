import { randomBytes } from 'node:crypto'
import { AppError, hasCode } from '../../core/app-error.ts'
import type { Finding } from '../../core/finding.ts'
import type { AbortOptions, ObjectStore } from '../object-store.ts'
import { type StoreTraits, describeTraits } from './store-traits.ts'

/** No repository reads what is below it, and an `init` does not mind it. */
export const probePrefix = 'probe/'

/** What other probes may still be at is left alone so long. */
const leftoverAfterMs = 3600 * 1000
const clockToleranceMs = 5000

export interface StoreFinding extends Finding {
  /** What the store failed with. */
  readonly error?: AppError
}

/**
 * Writes, lists, reads, overwrites and removes a small object, to see what a store really does. What may not be removed
 * stays there, a few bytes below `probePrefix`. `inspect` asks the store for its traits, and may put the object of that
 * key once more.
 */
export async function probeStore(
  store: ObjectStore,
  options: AbortOptions & { readonly inspect?: (key: string) => Promise<StoreTraits | undefined> },
): Promise<StoreFinding[]> {
  const key = `${probePrefix}${randomBytes(12).toString('hex')}`
  const refused = await failureOf(() => store.put(key, [contentOf('one')], options))
  if (refused) return [failed('write', refused)]
  const findings = [
    good('write', 'yes', 'backups can be stored'),
    await probeList(store, key, options),
    await probeRead(store, key, options),
  ]
  const traits = await options.inspect?.(key)
  findings.push(await probeOverwrite(store, key, traits, options))
  findings.push(await probeRemoval(store, key, options))
  findings.push(await probeClock(store, options))
  return traits ? [...findings, ...describeTraits(traits)] : findings
}

async function probeList(store: ObjectStore, key: string, options: AbortOptions): Promise<StoreFinding> {
  const check = 'list after write'
  const listed = await attempt(() => Array.fromAsync(store.list(probePrefix, options)))
  if (listed instanceof AppError) return failed(check, listed)
  return listed.some((info) => info.key === key && info.sizeBytes === contentOf('one').length)
    ? good(check, 'yes', 'whoever looks sees every backup that is done')
    : bad(check, 'no', 'a backup could overlook what another has just stored: do not use this store')
}

async function probeRead(store: ObjectStore, key: string, options: AbortOptions): Promise<StoreFinding> {
  const check = 'read, whole and in part'
  const read = await attempt(async () => {
    const part = { offset: 3, length: 5 }
    return [await store.get(key, options), await store.get(key, { ...options, range: part })] as const
  })
  if (read instanceof AppError) return failed(check, read)
  const expected = contentOf('one')
  return read[0].equals(expected) && read[1].equals(expected.subarray(3, 8))
    ? good(check, 'yes', 'what is stored comes back')
    : bad(check, 'no', 'the store gives back other bytes than it was given: do not use it')
}

async function probeOverwrite(
  store: ObjectStore,
  key: string,
  traits: StoreTraits | undefined,
  options: AbortOptions,
): Promise<StoreFinding> {
  const check = 'overwrite'
  const failure = await failureOf(() => store.put(key, [contentOf('another')], options))
  if (hasCode(failure, 'store-denied'))
    return good(check, 'refused', 'these credentials can not replace what is stored, nor mend it (check --repair)')
  if (failure) return failed(check, failure)
  const read = await attempt(() => store.get(key, options))
  if (read instanceof AppError) return failed('read after overwrite', read)
  if (!read.equals(contentOf('another')))
    return bad('read after overwrite', 'stale', 'a read gave what had been replaced: do not use this store')
  return traits?.versioning === 'on'
    ? good(check, 'possible', 'what was there before is kept as a version')
    : note(check, 'possible', 'whoever has these credentials can replace backups')
}

async function probeRemoval(store: ObjectStore, key: string, options: AbortOptions): Promise<StoreFinding> {
  const check = 'remove'
  const failure = await failureOf(() => store.delete(key, options))
  if (hasCode(failure, 'store-denied'))
    return good(check, 'refused', 'these credentials can not remove backups: forget and prune need others')
  if (failure) return failed(check, failure)
  const left = await attempt(async () => {
    await removeLeftovers(store, options)
    return (await Array.fromAsync(store.list(probePrefix, options))).some((info) => info.key === key)
  })
  if (left instanceof AppError) return failed(check, left)
  return left
    ? bad(check, 'no', 'what was removed is still listed: do not use this store')
    : note(check, 'possible', 'forget and prune work; whoever has these credentials can remove backups')
}

/** What probes left that might not remove it. */
async function removeLeftovers(store: ObjectStore, options: AbortOptions): Promise<void> {
  const now = await store.now(options)
  for await (const { key, modifiedAt } of store.list(probePrefix, options)) {
    if (now.getTime() - modifiedAt.getTime() > leftoverAfterMs) await store.delete(key, options)
  }
}

async function probeClock(store: ObjectStore, options: AbortOptions): Promise<StoreFinding> {
  const check = 'clock'
  const before = Date.now()
  const told = await attempt(() => store.now(options))
  if (told instanceof AppError) return failed(check, told)
  const aheadMs = told.getTime() - (before + Date.now()) / 2
  if (Math.abs(aheadMs) <= clockToleranceMs) return good(check, 'same', 'this host and the store agree on the time')
  const answer = `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead' : 'behind'}`
  return note(
    check,
    answer,
    "backups go by the store's clock, and names by this host's: set what is wrong (timedatectl)",
  )
}

async function attempt<Result>(work: () => Promise<Result>): Promise<Result | AppError> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError && error.code !== 'interrupted') return error
    throw error
  }
}

async function failureOf(work: () => Promise<unknown>): Promise<AppError | undefined> {
  const outcome = await attempt(work)
  return outcome instanceof AppError ? outcome : undefined
}

function contentOf(what: string): Buffer {
  return Buffer.from(`${what} probe of pgrevive doctor; it may be removed\n`)
}

function good(check: string, answer: string, meaning: string): StoreFinding {
  return { check, answer, verdict: 'good', meaning }
}

function note(check: string, answer: string, meaning: string): StoreFinding {
  return { check, answer, verdict: 'note', meaning }
}

function bad(check: string, answer: string, meaning: string): StoreFinding {
  return { check, answer, verdict: 'bad', meaning }
}

function failed(check: string, error: AppError): StoreFinding {
  return { ...bad(check, 'failed', error.message), error }
}
