import { ulid } from 'ulid'
import type { AbortOptions } from '../store/object-store.ts'
import type { PackFindings } from './check-packs.ts'
import { formatIndex, type IndexedPack } from './index-object.ts'
import type { Inventory } from './inventory.ts'
import { packKey } from './object-keys.ts'
import { PackBuilder } from './pack-builder.ts'
import type { RepositoryContext } from './repository-context.ts'
import { putSealed } from './sealed-object.ts'

/**
 * Copies what of damaged packs was found good and lies nowhere else into new packs, as it is, so that only what is lost
 * has to be stored again. Returns the number of blobs.
 */
export async function salvageBlobs(
  context: RepositoryContext,
  inventory: Inventory,
  findings: PackFindings,
  options: AbortOptions,
): Promise<number> {
  const { store, keys } = context
  const saved: IndexedPack[] = []
  let count = 0
  for (const number of findings.problems.keys()) {
    const blobs = findings.tried.has(number) ? blobsToSave(inventory, findings, number) : []
    if (blobs.length === 0) continue
    const pack = await copyBlobs(context, inventory, { number, blobs }, options)
    saved.push(pack)
    count += blobs.length
  }
  if (saved.length > 0) {
    const index = { kind: 'index', id: ulid(), content: formatIndex(saved) } as const
    await putSealed(store, keys.metadata, index, options)
  }
  return count
}

function blobsToSave(inventory: Inventory, findings: PackFindings, pack: number): number[] {
  const { blobs } = inventory
  const isSafe = (blob: number) => !inventory.packOf(blob).condemned && !findings.problems.has(blobs.packOf(blob))
  return [...inventory.blobsOf(pack)].filter(
    (blob) => findings.isGood(inventory, blob) && ![...blobs.copies(blobs.idOf(blob))].some(isSafe),
  )
}

async function copyBlobs(
  { store, keys, keyRing }: RepositoryContext,
  inventory: Inventory,
  from: { readonly number: number; readonly blobs: readonly number[] },
  options: AbortOptions,
): Promise<IndexedPack> {
  const { kind, name = '', keys: slots } = inventory.pack(from.number)
  const bytes = await store.get(packKey(kind, name), options)
  const builder = new PackBuilder(slots.map((slot) => keyRing.wrapped(slot)))
  const copied = from.blobs.map((blob) => {
    const { offset, storedBytes, rawBytes, key } = inventory.blobs.place(blob)
    const id = inventory.blobs.idOf(blob)
    const parts = [Buffer.from(bytes.subarray(offset, offset + storedBytes))] // the builder takes their memory
    return { id, storedBytes, rawBytes, key, offset: builder.append(id, { parts, key, rawBytes }).offset }
  })
  const { parts, directory, ...made } = builder.finish(keys.metadata)
  await store.put(packKey(kind, made.name), parts, options)
  const pack = inventory.addPack({ kind, ...made, keys: slots, state: 'stored', condemned: false })
  for (const { id, ...place } of copied) inventory.blobs.add(id, { pack, ...place })
  return { kind, ...made, directory }
}
