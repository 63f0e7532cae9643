import { hasCode } from '../core/app-error.ts'
import type { AbortOptions } from '../store/object-store.ts'
import { checkPacks, type PackFindings } from './check-packs.ts'
import { DamageList, type CheckLevel, type CheckReport } from './check-report.ts'
import { StreamChecker } from './check-streams.ts'
import { Inventory } from './inventory.ts'
import { cannotRead } from './key-ring.ts'
import { configCopyKey, configKey, packKey, sealedKey } from './object-keys.ts'
import { isAuthentic, readConfig } from './repository-config.ts'
import type { RepositoryContext } from './repository-context.ts'
import { RepositoryReader } from './repository-reader.ts'
import type { Repository } from './repository.ts'
import { listSealed, type SealedObjectInfo } from './sealed-object.ts'
import { getRecord, type CommittedRecord } from './stored-record.ts'
import type { StreamRef } from './stream-ref.ts'

export interface CheckOptions extends AbortOptions {
  readonly level: CheckLevel
  /**
   * All streams of a record, those first that are read to find the others. What it throws as `object-damaged` or `object-missing` is counted against the
   * record.
   */
  readonly streamsOf: (record: CommittedRecord) => AsyncIterable<{ readonly name: string; readonly stream: StreamRef }>
  readonly onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined
}

/**
 * Looks for damage without changing anything, while others may write. Condemned packs count only as far as a backup
 * needs them. Level 3 rejects with `key-cannot-read` if the key may only write.
 */
export async function checkRepository(repository: Repository, options: CheckOptions): Promise<CheckReport> {
  const { context } = repository
  const { level, signal } = options
  if (level === 3 && !repository.canRead) throw cannotRead()
  const damages = new DamageList()
  // Before the packs: what a record seen now relies on is stored already.
  const records: SealedObjectInfo[] = []
  if (level >= 1) for await (const info of listSealed(context.store, 'record', { signal })) records.push(info)
  if (level >= 1) await checkConfigs(context, damages, { signal })
  const inventory = await Inventory.load(context, { signal, onDamaged: (key) => damages.add(key, 'unreadable') })
  const findings = await checkPacks(context, inventory, options)
  for (const [number, problem] of findings.problems) {
    if (!inventory.pack(number).condemned) damages.add(keyOf(inventory, number), problem)
  }
  const counts = await checkRecords(context, { records, inventory, findings, damages }, options)
  const proofs = level >= 1 ? await checkProofs(repository, damages, { signal }) : 0
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
    },
    damages: damages.toSorted(),
  }
}

async function checkConfigs(context: RepositoryContext, damages: DamageList, options: AbortOptions): Promise<void> {
  for (const key of [configKey, configCopyKey] as const) {
    try {
      const config = await readConfig(context.store, key, options)
      if (config.id !== context.config.id || !isAuthentic(config, context.keys.config)) damages.add(key, 'unreadable')
    } catch (error) {
      if (hasCode(error, 'object-missing')) damages.add(key, 'missing')
      else if (hasCode(error, 'object-damaged', 'repository-newer')) damages.add(key, 'unreadable')
      else throw error
    }
  }
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
): Promise<{ records: number; streams: number }> {
  const { inventory, findings, damages } = found
  const checker = new StreamChecker(inventory, new RepositoryReader(context, inventory), findings)
  const counts = { records: 0, streams: 0 }
  for (const info of found.records) {
    const record = await getRecord(context, info, options)
    if (!record) continue
    counts.records++
    if (record.state === 'damaged') {
      damages.add(info.key, 'unreadable', { id: info.id })
      continue
    }
    if (record.state === 'unverified') damages.add(info.key, 'late-commit')
    try {
      for await (const { name, stream } of options.streamsOf(record)) {
        counts.streams++
        const finding = await checker.check(stream, options)
        const backup = { id: record.id, stream: name }
        for (const pack of finding.brokenPacks) {
          damages.add(keyOf(inventory, pack), findings.problems.get(pack) ?? 'unreadable', backup)
        }
        if (finding.isDangling) damages.add(info.key, 'dangling', backup)
        if (finding.isMisstated) damages.add(info.key, 'unreadable', backup)
      }
    } catch (error) {
      if (!hasCode(error, 'object-damaged', 'object-missing')) throw error
      damages.add(sealedKey('record', record.id), 'unreadable', { id: record.id })
    }
  }
  return counts
}

async function checkProofs(repository: Repository, damages: DamageList, options: AbortOptions): Promise<number> {
  let proofs = 0
  for await (const proof of repository.proofs(options)) {
    proofs++
    if (proof.state === 'damaged') damages.add(sealedKey('proof', proof.id), 'unreadable')
  }
  return proofs
}

function keyOf(inventory: Inventory, pack: number): string {
  const { kind, name } = inventory.pack(pack)
  return packKey(kind, name ?? '')
}
