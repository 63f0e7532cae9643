import type { AbortOptions } from '../store/object-store.ts'
import { Inventory } from './packs/inventory.ts'
import type { Repository } from './repository.ts'

export interface RepositorySizes {
  /** Of all objects in the store. */
  readonly stored: number
  /** Of the packs among them. */
  readonly packed: number
  /** What the packs hold, uncompressed, each chunk once; what no backup needs any more counts until it is pruned. */
  readonly unique: number
}

/** Lists the store and reads the index; no data. */
export async function repositorySizes({ store, context }: Repository, options: AbortOptions): Promise<RepositorySizes> {
  let stored = 0
  for await (const { sizeBytes } of store.list('', options)) stored += sizeBytes
  const { packs, blobs } = await Inventory.load(context, options)
  let unique = 0
  for (let blob = 0; blob < blobs.size; blob++) {
    if (blobs.firstCopy(blob) === blob) unique += blobs.place(blob).rawBytes
  }
  const packed = packs.reduce((sum, { state, sizeBytes }) => sum + (state === 'stored' ? sizeBytes : 0), 0)
  return { stored, packed, unique }
}
