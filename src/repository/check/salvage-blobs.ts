import type { AbortOptions } from '../../store/object-store.ts'
import { BlobCopier } from '../packs/blob-copier.ts'
import type { PackFindings } from './check-packs.ts'
import type { Inventory } from '../packs/inventory.ts'
import { packKey } from '../objects/object-keys.ts'
import type { RepositoryContext } from '../repository-context.ts'

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
  const copier = new BlobCopier(context, inventory)
  let count = 0
  for (const number of findings.problems.keys()) {
    const blobs = findings.tried.has(number) ? blobsToSave(inventory, findings, number) : []
    if (blobs.length === 0) continue
    const { kind, name = '' } = inventory.pack(number)
    const bytes = await context.store.get(packKey(kind, name), options)
    await copier.copy({ number, bytes }, blobs, options)
    count += blobs.length
  }
  await copier.finish(options)
  return count
}

function blobsToSave(inventory: Inventory, findings: PackFindings, pack: number): number[] {
  const { blobs } = inventory
  const isSafe = (blob: number) => !inventory.packOf(blob).condemned && !findings.problems.has(blobs.packOf(blob))
  return [...inventory.blobsOf(pack)].filter(
    (blob) => findings.isGood(inventory, blob) && ![...blobs.copies(blobs.idOf(blob))].some(isSafe),
  )
}
