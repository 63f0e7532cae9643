import { hasCode } from '../../core/app-error.ts'
import { hasObject } from '../../store/has-object.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { backupOfProof } from '../backups/backup-record.ts'
import { checkClearObjects } from './check-clear-objects.ts'
import { type ChosenPart, type WantedPart, choosePart, partAfter } from './check-part.ts'
import { checkPacks, type EarlierFindings, type PackFindings } from './check-packs.ts'
import { DamageList, type CheckLevel, type CheckReport } from './check-report.ts'
import { StreamChecker, type StreamsOf } from './check-streams.ts'
import { Inventory } from '../packs/inventory.ts'
import { cannotRead } from '../keys/key-ring.ts'
import { packKey, packNameOf, sealedIdOf, sealedKey } from '../objects/object-keys.ts'
import { repairRepository } from './repair-repository.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { RepositoryReader } from '../repository-reader.ts'
import type { Repository } from '../repository.ts'
import { listSealed, type SealedObjectInfo } from '../objects/sealed-object.ts'
import { getRecord, statements, type StatementKind } from '../sessions/stored-record.ts'

export interface CheckOptions extends AbortOptions {
  readonly level: CheckLevel
  /** Mend what can be mended; what remains in the report is lost. Packs that the level does not read are not looked at. */
  readonly repair?: boolean | undefined
  /** Read only so much of the data packs, at levels that read them. */
  readonly part?: WantedPart | undefined
  /**
   * Where it throws `object-damaged` or `object-missing`, the streams that it gave before have been found damaged; else it
   * is counted against the record.
   */
  readonly streamsOf: StreamsOf
  readonly onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined
}

/**
 * Looks for damage, while others may write; without `repair` it changes nothing. Condemned packs count only as far as a
 * backup needs them. Level 3 rejects with `key-cannot-read` if the key may only write.
 */
export async function checkRepository(repository: Repository, options: CheckOptions): Promise<CheckReport> {
  const { context } = repository
  const { level, signal, repair = false } = options
  if (level === 3 && !(await repository.canRead())) throw cannotRead()
  const damages = new DamageList()
  // Before the packs: what a record seen now relies on is stored already.
  const records: SealedObjectInfo[] = []
  if (level >= 1) for await (const info of listSealed(context.store, 'record', { signal })) records.push(info)
  if (level >= 1) for (const [key, problem] of await checkClearObjects(context, { signal })) damages.add(key, problem)
  if (level >= 1)
    for (const kind of ['access', 'key'] as const) await checkStatements(context, kind, damages, { signal })
  const tryDamaged = repair && (await repository.canRead())
  const { inventory, findings, chosen } = await checkStored(context, damages, { ...options, tryDamaged })
  for (const [number, problem] of findings.problems) {
    if (!inventory.pack(number).condemned) damages.add(keyOf(inventory, number), problem)
  }
  const { repairs, salvagedBlobs } = repair
    ? await repairRepository(context, { inventory, findings, damages }, { signal })
    : { repairs: [], salvagedBlobs: 0 }
  const { late, ...counts } = await checkRecords(context, { records, inventory, findings, damages }, options)
  const { proofs, proofsOf } = await checkProofs(repository, { records, damages }, options)
  const notes = level === 0 ? 0 : await checkStatements(context, 'note', damages, { signal })
  const found = damages.toSorted()
  const stored = inventory.packs.filter(({ state }) => state === 'stored')
  return {
    level,
    checked: {
      packs: stored.length,
      packBytes: stored.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0),
      readBytes: findings.readBytes,
      chunks: inventory.blobs.size,
      ...counts,
      proofs,
      notes,
    },
    damages: found.map((damage) => ({ ...damage, repairable: isRepairable(damage.object, inventory) })),
    touched: [...new Set(found.flatMap(({ backups }) => backups.map(({ id }) => id)))].map((id) => ({
      id,
      objects: [...records.filter((record) => record.id === id).map(({ key }) => key), ...(proofsOf.get(id) ?? [])],
    })),
    repairs,
    salvagedChunks: salvagedBlobs,
    late,
    ...(chosen && { part: partAfter(chosen, inventory, findings) }),
  }
}

/** Whether a repair has not been at it yet and would do something. */
function isRepairable(key: string, inventory: Inventory): boolean {
  if ((['record', 'proof', 'note', 'access'] as const).some((kind) => sealedIdOf(kind, key) !== undefined)) return false
  return !inventory.packs.some((pack) => pack.condemned && packKey(pack.kind, pack.name ?? '') === key)
}

/** All packs, or a part. What prunes move while it lasts is looked for again, where it lies now; a part leaves it for the next round. */
async function checkStored(
  context: RepositoryContext,
  damages: DamageList,
  options: CheckOptions & { readonly tryDamaged: boolean },
): Promise<EarlierFindings & { readonly chosen: ChosenPart | undefined }> {
  let chosen: ChosenPart | undefined
  for (let earlier: EarlierFindings | undefined; ;) {
    const inventory = await loadInventory(context, damages, options)
    if (options.part) chosen ??= choosePart(inventory, options.part)
    const findings = await checkPacks(context, inventory, { ...options, only: chosen?.names, earlier })
    if (findings.gone.size === 0) return { inventory, findings, chosen }
    earlier = { inventory, findings }
  }
}

/** Packs that nothing says anything about any more count once: then they are condemned. */
async function loadInventory(
  context: RepositoryContext,
  damages: DamageList,
  { signal }: AbortOptions,
): Promise<Inventory> {
  const damaged: string[] = []
  const inventory = await Inventory.load(context, { signal, onDamaged: (key) => damaged.push(key) })
  const condemned = await context.tombstones.condemnations({ signal, onDamaged: () => undefined })
  for (const key of damaged) {
    if (!condemned.packs.has(packNameOf('data', key) ?? packNameOf('meta', key) ?? '')) damages.add(key, 'unreadable')
  }
  return inventory
}

async function checkRecords(
  context: RepositoryContext,
  found: {
    readonly records: readonly SealedObjectInfo[]
    readonly inventory: Inventory
    readonly findings: PackFindings
    readonly damages: DamageList
  },
  options: CheckOptions,
): Promise<{ records: number; streams: number; late: string[] }> {
  const { inventory, findings, damages } = found
  const reader = new RepositoryReader(context, inventory)
  const checker = new StreamChecker(inventory, reader, findings)
  const counts = { records: 0, streams: 0, late: [] as string[] }
  for (const info of found.records) {
    const record = await getRecord(context, info, options)
    if (!record) continue
    counts.records++
    if (record.state === 'damaged') {
      damages.add(info.key, 'unreadable', { id: info.id })
      continue
    }
    if (record.state === 'unverified') counts.late.push(record.id)
    let isWhole = true
    try {
      for await (const { name, stream } of options.streamsOf(record, reader)) {
        counts.streams++
        const finding = await checker.check(stream, options)
        const backup = { id: record.id, stream: name }
        for (const pack of finding.brokenPacks) {
          damages.add(keyOf(inventory, pack), findings.problems.get(pack) ?? 'unreadable', backup)
        }
        if (finding.isDangling) damages.add(info.key, 'dangling', backup)
        if (finding.isMisstated) damages.add(info.key, 'unreadable', backup)
        isWhole &&= finding.brokenPacks.size === 0 && !finding.isDangling && !finding.isMisstated
      }
    } catch (error) {
      if (!hasCode(error, 'object-damaged', 'object-missing')) throw error
      if (isWhole) damages.add(info.key, 'unreadable', { id: record.id })
    }
  }
  return counts
}

/** A proof whose backup has no record tells of a record that is gone. `proofsOf`: the keys of the proofs of each backup. */
async function checkProofs(
  repository: Repository,
  { records, damages }: { readonly records: readonly SealedObjectInfo[]; readonly damages: DamageList },
  { level, signal }: CheckOptions,
): Promise<{ proofs: number; proofsOf: ReadonlyMap<string, readonly string[]> }> {
  const proofsOf = new Map<string, string[]>()
  if (level === 0) return { proofs: 0, proofsOf }
  let proofs = 0
  for await (const proof of repository.proofs({ signal })) {
    proofs++
    const key = sealedKey('proof', proof.id)
    if (proof.state === 'damaged') {
      damages.add(key, 'unreadable')
      continue
    }
    const backup = backupOfProof(proof.body)
    if (backup !== undefined) proofsOf.set(backup, [...(proofsOf.get(backup) ?? []), key])
  }
  const known = new Set(records.map(({ id }) => id))
  for (const id of proofsOf.keys()) {
    // records may have come since they were listed
    if (!known.has(id) && !(await hasObject(repository.store, sealedKey('record', id), { signal }))) {
      damages.add(sealedKey('record', id), 'missing', { id })
    }
  }
  return { proofs, proofsOf }
}

/** Returns how many there are. */
async function checkStatements(
  context: RepositoryContext,
  kind: StatementKind,
  damages: DamageList,
  options: AbortOptions,
): Promise<number> {
  let count = 0
  for await (const { id, state } of statements(context, kind, options)) {
    count++
    if (state === 'damaged') damages.add(sealedKey(kind, id), 'unreadable')
  }
  return count
}

function keyOf(inventory: Inventory, pack: number): string {
  const { kind, name } = inventory.pack(pack)
  return packKey(kind, name ?? '')
}
