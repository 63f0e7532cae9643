import { createHash } from 'node:crypto'
import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { decodeBlob } from '../chunks/blob-codec.ts'
import type { CheckLevel, DamageProblem } from './check-report.ts'
import type { Inventory, InventoryPack } from '../packs/inventory.ts'
import { packKey } from '../objects/object-keys.ts'
import { metadataKeyNumber } from '../packs/pack-directory.ts'
import { readAhead } from '../objects/read-ahead.ts'
import type { RepositoryContext } from '../repository-context.ts'

/** Packs in memory at once. */
const readsAhead = 2

/** What is wrong with packs, by their numbers in the inventory. */
export class PackFindings {
  readonly problems = new Map<number, DamageProblem>()
  /** Packs whose blobs were all tried: those that are not in `badBlobs` can be read in spite of the problem. */
  readonly tried = new Set<number>()
  readonly badBlobs = new Set<number>()
  /** Packs that were there when the check began, and were not when their turn came. */
  readonly gone = new Set<number>()
  readBytes = 0

  /** Whether the blob can be read, as far as the check looked. */
  isGood(inventory: Inventory, blob: number): boolean {
    const pack = inventory.blobs.packOf(blob)
    return this.tried.has(pack) ? !this.badBlobs.has(blob) : !this.problems.has(pack)
  }

  /** Takes over what is known of a pack from a look at the same store through an earlier inventory. Whether there is anything. */
  take(number: number, inventory: Inventory, earlier: EarlierFindings | undefined): boolean {
    const before = earlier?.inventory.numberOf(inventory.pack(number).name ?? '')
    if (!earlier || before === undefined || earlier.findings.gone.has(before)) return false
    const { problems, tried, badBlobs } = earlier.findings
    const problem = problems.get(before)
    if (problem) this.problems.set(number, problem)
    if (tried.has(before)) this.tried.add(number)
    const blobs = [...inventory.blobsOf(number)]
    for (const [index, blob] of [...earlier.inventory.blobsOf(before)].entries()) {
      const same = blobs[index]
      if (same !== undefined && badBlobs.has(blob)) this.badBlobs.add(same)
    }
    return true
  }
}

export interface EarlierFindings {
  readonly inventory: Inventory
  readonly findings: PackFindings
}

/**
 * Looks at each pack as closely as the level asks; metadata packs and condemned ones, which may be damaged, are read in full
 * from level 1 on. `tryDamaged`: the
 * blobs of a damaged pack are tried at any level that reads it.
 */
export async function checkPacks(
  context: RepositoryContext,
  inventory: Inventory,
  options: AbortOptions & {
    readonly level: CheckLevel
    readonly tryDamaged: boolean
    /** Data packs of which no other is read; undefined: all are. */
    readonly only?: ReadonlySet<string> | undefined
    /** Packs of which these tell are not read again. */
    readonly earlier?: EarlierFindings | undefined
    readonly onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined
  },
): Promise<PackFindings> {
  const findings = new PackFindings()
  for (const [number, { state }] of inventory.packs.entries()) {
    if (state === 'missing') findings.problems.set(number, 'missing')
    if (state === 'resized') findings.problems.set(number, 'short')
  }
  findings.readBytes = options.earlier?.findings.readBytes ?? 0
  const toRead = [...inventory.packs.entries()].filter(
    ([number, { kind, name = '', state, condemned }]) =>
      state !== 'missing' &&
      options.level >= (kind === 'meta' || condemned ? 1 : 2) &&
      (kind === 'meta' || condemned || (options.only?.has(name) ?? true)) &&
      !findings.take(number, inventory, options.earlier),
  )
  if (toRead.length === 0) return findings
  const totalBytes = toRead.reduce((bytes, [, { sizeBytes }]) => bytes + sizeBytes, findings.readBytes)
  const read = async ([number, pack]: [number, InventoryPack], { signal }: { signal: AbortSignal }) => ({
    number,
    pack,
    bytes: await getPack(context, pack, { signal }),
  })
  for await (const { number, pack, bytes } of readAhead(toRead, readsAhead, read, options)) {
    findings.readBytes += pack.sizeBytes
    if (!bytes && pack.state === 'stored') findings.gone.add(number)
    if (!bytes) findings.problems.set(number, pack.state === 'resized' ? 'short' : 'missing')
    else if (pack.state === 'stored' && createHash('sha256').update(bytes).digest('hex') !== pack.name) {
      findings.problems.set(number, 'hash')
    }
    const isTried = pack.kind === 'meta' || options.level === 3 || (options.tryDamaged && findings.problems.has(number))
    if (bytes && isTried) await tryBlobs(context, inventory, { number, bytes }, findings)
    options.onProgress?.({ doneBytes: findings.readBytes, totalBytes })
  }
  return findings
}

async function getPack(
  { store }: RepositoryContext,
  { kind, name }: InventoryPack,
  options: AbortOptions,
): Promise<Buffer | undefined> {
  try {
    return await store.get(packKey(kind, name ?? ''), options)
  } catch (error) {
    if (hasCode(error, 'object-missing', 'object-damaged')) return undefined // gone by now, or far too long
    throw error
  }
}

async function tryBlobs(
  { keys, keyRing }: RepositoryContext,
  inventory: Inventory,
  pack: { readonly number: number; readonly bytes: Buffer },
  findings: PackFindings,
): Promise<void> {
  findings.tried.add(pack.number)
  const { blobs } = inventory
  for (const blob of inventory.blobsOf(pack.number)) {
    const place = blobs.place(blob)
    const slot = inventory.pack(pack.number).keys[place.key]
    try {
      const key = place.key === metadataKeyNumber || slot === undefined ? keys.metadata : await keyRing.unwrap(slot)
      decodeBlob(pack.bytes.subarray(place.offset, place.offset + place.storedBytes), {
        id: blobs.idOf(blob),
        key,
        chunkIdKey: keys.chunkIds,
        rawBytes: place.rawBytes,
      })
    } catch (error) {
      if (hasCode(error, 'key-cannot-read', 'key-wrong')) throw error
      findings.badBlobs.add(blob)
      if (!findings.problems.has(pack.number)) findings.problems.set(pack.number, 'unreadable')
    }
  }
}
