import type { AbortOptions } from '../../store/object-store.ts'
import { rewriteClearObject } from './check-clear-objects.ts'
import type { PackFindings } from './check-packs.ts'
import type { DamageList, Repair } from './check-report.ts'
import { formatIndex, type IndexedPack } from '../packs/index-object.ts'
import type { Inventory } from '../packs/inventory.ts'
import { packKey, packNameOf, sealedIdOf } from '../objects/object-keys.ts'
import { formatDirectory } from '../packs/pack-directory.ts'
import { readPackDirectory } from '../packs/pack-trailer.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { handOverDataKeys } from '../keys/handed-over.ts'
import { salvageBlobs } from './salvage-blobs.ts'
import { putSealed } from '../objects/sealed-object.ts'

/**
 * Mends what a check of the packs and of the clear objects found, and takes it off the list: what remains there is lost.
 * Packs are never touched: what is good in a damaged one is copied, and nothing new relies on it any more.
 */
export async function repairRepository(
  context: RepositoryContext,
  found: { readonly inventory: Inventory; readonly findings: PackFindings; readonly damages: DamageList },
  options: AbortOptions,
): Promise<{ readonly repairs: readonly Repair[]; readonly salvagedBlobs: number }> {
  const { inventory, damages } = found
  const everyPack = new Set(inventory.packs.flatMap(({ name }) => name ?? []))
  const salvagedBlobs = await salvageBlobs(context, inventory, found.findings, options)
  const repairs: Repair[] = []
  const mend = (object: string, done: Repair['done']) => {
    for (const { problem } of damages.take(object)) repairs.push({ object, problem, done })
  }
  const objects = damages.toSorted().map(({ object }) => object)

  const packs = objects.flatMap((key) => packNameOf('data', key) ?? packNameOf('meta', key) ?? [])
  const tombstones = objects.flatMap((key) => sealedIdOf('gc', key) ?? [])
  for (const pack of packs) everyPack.add(pack)
  // nobody knows what a damaged tombstone condemned, and that must not be taken back
  if (tombstones.length > 0) await context.tombstones.replace(tombstones, [...everyPack], options)
  else if (packs.length > 0) await context.tombstones.condemn(packs, options)
  const condemned = tombstones.length > 0 ? everyPack : new Set(packs)
  for (const pack of inventory.packs) pack.condemned ||= condemned.has(pack.name ?? '')

  for (const key of objects) {
    const index = sealedIdOf('index', key)
    if (index !== undefined) await rewriteIndex(index, context, inventory, options)
    const handOver = sealedIdOf('key', key)
    if (handOver !== undefined) {
      if (!(await context.keyRing.canUnwrap())) continue
      await handOverDataKeys(context, context.config.recipients, { ...options, id: handOver })
      mend(key, 'rewritten')
    }
    if (packNameOf('data', key) !== undefined || packNameOf('meta', key) !== undefined) mend(key, 'condemned')
    else if (index !== undefined || sealedIdOf('gc', key) !== undefined) mend(key, 'rewritten')
    else if (await rewriteClearObject(key, context, options)) mend(key, 'rewritten')
  }
  return { repairs, salvagedBlobs }
}

/** Under the name of one that can not be read; it names the packs that no other does. */
async function rewriteIndex(
  id: string,
  { store, keys }: RepositoryContext,
  { packs, unindexed }: Inventory,
  options: AbortOptions,
): Promise<void> {
  const indexed: IndexedPack[] = []
  for (const number of unindexed) {
    const { kind, name, sizeBytes } = packs[number] ?? {}
    if (kind === undefined || name === undefined || sizeBytes === undefined) continue
    const directory = await readPackDirectory(store, { key: packKey(kind, name), sizeBytes }, keys.metadata, options)
    indexed.push({ kind, name, sizeBytes, directory: formatDirectory(directory.keys, [directory.entries]) })
  }
  await putSealed(store, keys.metadata, { kind: 'index', id, content: formatIndex(indexed) }, options)
}
