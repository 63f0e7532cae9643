import { decodeBlob } from '../chunks/blob-codec.ts'
import { idsOfList, type StreamRef } from '../chunks/stream-ref.ts'
import type { DerivedKeys } from '../keys/derived-keys.ts'
import { unseal } from '../objects/aead.ts'
import { packKey, packNameOf, sealedIdOf, type PackKind, type SealedKind } from '../objects/object-keys.ts'
import { readFrame } from '../objects/zstd-frame.ts'
import { entriesOf } from '../packs/pack-directory.ts'
import { parseTrailer } from '../packs/pack-trailer.ts'
import { bodySchema } from '../prune/test-prune.ts'
import type { Witness, WorldObject } from './test-world.ts'

const commitWindowMs = 3600 * 1000

/** A backup that counts, and what became of it. */
export interface Violation {
  readonly backup: string
  readonly problem: string
}

interface LedgerRecord {
  readonly needs: readonly string[]
  /** Whoever finds it may rely on it: it was stored in time. */
  readonly isInTime: boolean
}

/**
 * Knows at any moment, by its own account of what is in the store, where each chunk lies that a backup needs. A backup
 * that counts, or that somebody was told does, must never lack one.
 */
export class Ledger implements Witness {
  readonly violations: Violation[] = []
  readonly #keys: DerivedKeys
  /** By the key of the pack: the names of its chunks that are whole. */
  readonly #packs = new Map<string, string[]>()
  /** By the name of the chunk: how many packs hold it. */
  readonly #copies = new Map<string, number>()
  readonly #lists = new Map<string, readonly string[]>()
  /** Keys of packs that some tombstone ever named. */
  readonly #condemned = new Set<string>()
  /** Chunks of which no whole copy was left that lasts, through no fault of ours. */
  readonly #rotten = new Set<string>()
  readonly #records = new Map<string, LedgerRecord>()
  /** Of sessions that were told that they are committed. */
  readonly #promised = new Set<string>()
  removedPacks = 0

  constructor(keys: DerivedKeys) {
    this.#keys = keys
  }

  get committed(): number {
    return this.#promised.size
  }

  /** Somebody was told that this backup is committed. */
  promise(id: string): void {
    this.#promised.add(id)
    this.#look(id)
  }

  /** Whether it does not count, or lacks a chunk. */
  isLost(id: string): boolean {
    const record = this.#records.get(id)
    return !record || !this.#counts(id, record) || record.needs.some((chunk) => this.#isGone(chunk))
  }

  put(key: string, object: WorldObject): void {
    const kind = kindOf(key)
    if (kind) this.#putPack(key, kind, object.bytes)
    const record = sealedIdOf('record', key)
    if (record !== undefined) this.#putRecord(record, object)
    const tombstone = sealedIdOf('gc', key)
    if (tombstone !== undefined) this.#putTombstone(tombstone, object)
  }

  deleted(key: string): void {
    const record = sealedIdOf('record', key)
    if (record !== undefined) this.#records.delete(record)
    const chunks = this.#packs.get(key)
    if (!chunks) return
    this.#packs.delete(key)
    this.removedPacks++
    for (const chunk of chunks) this.#copies.set(chunk, (this.#copies.get(chunk) ?? 0) - 1)
    for (const id of this.#records.keys()) this.#look(id)
  }

  /** The nth blob of a pack has been damaged: what needs it, and has it nowhere else for long, is lost to that. */
  rotted(key: string, nth: number): void {
    const [chunk] = this.#packs.get(key)?.splice(nth, 1) ?? []
    if (chunk === undefined) return
    this.#copies.set(chunk, (this.#copies.get(chunk) ?? 0) - 1)
    const lasts = [...this.#packs].some(([pack, chunks]) => !this.#condemned.has(pack) && chunks.includes(chunk))
    if (!lasts) this.#rotten.add(chunk)
  }

  #putPack(key: string, kind: PackKind, bytes: Buffer): void {
    if (this.#packs.has(key)) return // it came twice
    const directory = parseTrailer(bytes, bytes.length, this.#keys.metadata)
    const chunks: string[] = []
    for (const { id, offset, storedBytes, rawBytes } of entriesOf(directory)) {
      const chunk = nameOf(kind, id)
      chunks.push(chunk)
      this.#rotten.delete(chunk)
      this.#copies.set(chunk, (this.#copies.get(chunk) ?? 0) + 1)
      if (kind === 'data' || this.#lists.has(chunk)) continue
      const blob = { id, key: this.#keys.metadata, chunkIdKey: this.#keys.chunkIds, rawBytes }
      const list = decodeBlob(bytes.subarray(offset, offset + storedBytes), blob)
      this.#lists.set(
        chunk,
        idsOfList(list).map((one) => nameOf('data', one)),
      )
    }
    this.#packs.set(key, chunks)
  }

  #putRecord(id: string, { bytes, modifiedAt }: WorldObject): void {
    const { checkedAt, body } = this.#open<{ checkedAt: string; body: unknown }>('record', id, bytes)
    const { stream, more } = bodySchema.parse(body)
    const needs = [stream, ...(more ? [more] : [])].flatMap((one) => this.#needsOf(one))
    this.#records.set(id, { needs, isInTime: +modifiedAt <= Date.parse(checkedAt) + commitWindowMs })
    this.#look(id)
  }

  #putTombstone(id: string, { bytes }: WorldObject): void {
    for (const name of this.#open<{ condemned: string[] }>('gc', id, bytes).condemned) {
      for (const kind of ['data', 'meta'] as const) this.#condemned.add(packKey(kind, name))
    }
  }

  #open<Content>(kind: SealedKind, id: string, bytes: Buffer): Content {
    const content = readFrame(unseal(this.#keys.metadata, Buffer.from(`${kind}1/${id}`), bytes), 1e6)
    return JSON.parse(content.toString('utf8')) as Content // as: it was written here
  }

  #needsOf({ lists }: StreamRef): string[] {
    const names = lists.map((list) => nameOf('meta', Buffer.from(list, 'hex')))
    return [...names, ...names.flatMap((name) => this.#lists.get(name) ?? [])]
  }

  #look(id: string): void {
    const record = this.#records.get(id)
    if (!record || !this.#counts(id, record)) return
    const lost = record.needs.find((chunk) => this.#isGone(chunk) && !this.#rotten.has(chunk))
    if (lost === undefined) return
    this.violations.push({ backup: id, problem: `chunk ${lost} lies nowhere` })
    this.#records.delete(id) // once is enough
  }

  #counts(id: string, { isInTime }: LedgerRecord): boolean {
    return isInTime || this.#promised.has(id)
  }

  #isGone(chunk: string): boolean {
    return (this.#copies.get(chunk) ?? 0) <= 0
  }
}

function kindOf(key: string): PackKind | undefined {
  return (['data', 'meta'] as const).find((kind) => packNameOf(kind, key) !== undefined)
}

function nameOf(kind: PackKind, id: Buffer): string {
  return `${kind}/${id.toString('hex')}`
}
