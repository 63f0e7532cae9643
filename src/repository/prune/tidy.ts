import { ulid } from 'ulid'
import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { formatIndex, parseIndex, type IndexedPack } from '../packs/index-object.ts'
import type { Inventory } from '../packs/inventory.ts'
import { formatDirectory } from '../packs/pack-directory.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { getSealed, listSealed, putSealed, type SealedObjectInfo } from '../objects/sealed-object.ts'
import { tombstoneLifetimeMs } from '../sessions/tombstones.ts'

/** Index objects below this size are merged once there are so many. */
const smallIndexBytes = 256 * 1024
const mostSmallIndexes = 16
const mergedIndexBytes = 16 * 1024 * 1024

export interface TidyWork {
  readonly context: RepositoryContext
  readonly inventory: Inventory
  /** By the store's clock. */
  readonly now: Date
  /** Names of condemned packs that are gone and that nothing needs. */
  readonly gone: ReadonlySet<string>
  /** By name: packs that are there, or may be, and whose directory can not be read. */
  readonly unreadable: ReadonlyMap<string, unknown>
}

/** Index objects to be written anew: those that name packs that are gone, and the small ones where there are many. */
async function indexesToMerge(
  { context, inventory, gone }: TidyWork,
  options: AbortOptions,
): Promise<SealedObjectInfo[]> {
  const indexes: SealedObjectInfo[] = []
  for await (const index of listSealed(context.store, 'index', options)) {
    if (inventory.indexes.has(index.id)) indexes.push(index)
  }
  const isSmall = ({ sizeBytes }: SealedObjectInfo) => sizeBytes < smallIndexBytes
  const areMany = indexes.filter(isSmall).length >= mostSmallIndexes
  const namesGone = ({ id }: SealedObjectInfo) =>
    (inventory.indexes.get(id) ?? []).some((number) => gone.has(inventory.pack(number).name ?? ''))
  return indexes.filter((index) => namesGone(index) || (areMany && isSmall(index)))
}

/** Merges index objects: writes new ones, then removes those that they stand for. Returns bytes. */
export async function tidyIndexes(
  work: TidyWork,
  options: AbortOptions,
): Promise<{ readonly storedBytes: number; readonly freedBytes: number }> {
  const { store, keys } = work.context
  const replaced: SealedObjectInfo[] = []
  const names = new Set<string>()
  let packs: IndexedPack[] = []
  let storedBytes = 0
  const write = async () => {
    if (packs.length === 0) return
    const index = { kind: 'index', id: ulid(), content: formatIndex(packs) } as const
    storedBytes += await putSealed(store, keys.metadata, index, options)
    packs = []
  }
  for (const index of await indexesToMerge(work, options)) {
    for (const pack of (await readIndex(work, index, options)) ?? []) {
      if (work.gone.has(pack.name) || names.has(pack.name)) continue
      names.add(pack.name)
      packs.push(pack)
    }
    replaced.push(index)
    if (packs.reduce((bytes, { directory }) => bytes + directory.length, 0) >= mergedIndexBytes) await write()
  }
  await write()
  for (const { key } of replaced) await store.delete(key, options)
  return { storedBytes, freedBytes: replaced.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0) }
}

/** undefined: another run has merged it meanwhile. */
async function readIndex(
  { context }: TidyWork,
  { id }: SealedObjectInfo,
  options: AbortOptions,
): Promise<IndexedPack[] | undefined> {
  try {
    const content = await getSealed(context.store, context.keys.metadata, { kind: 'index', id }, options)
    return parseIndex(content).map(({ directory, ...pack }) => ({
      ...pack,
      directory: formatDirectory(directory.keys, [directory.entries]),
    }))
  } catch (error) {
    if (hasCode(error, 'object-missing')) return undefined
    throw error
  }
}

/** Drops tombstones that are older than any session, of packs that are in no index and not in the store. Returns bytes. */
export async function dropTombstones(
  { context, inventory, now, unreadable }: TidyWork,
  options: AbortOptions,
): Promise<number> {
  let freedBytes = 0
  const isForgotten = (pack: string) => !inventory.hasPack(pack) && !unreadable.has(pack)
  for (const { key, sizeBytes, modifiedAt, packs } of await context.tombstones.tombstones(options)) {
    if (+now - +modifiedAt < tombstoneLifetimeMs || !packs.every(isForgotten)) continue
    await context.store.delete(key, options)
    freedBytes += sizeBytes
  }
  return freedBytes
}
