import { forEachParallel } from '../../core/parallel.ts'
import type { AbortOptions, ObjectInfo } from '../../store/object-store.ts'
import { packNameOf } from '../objects/object-keys.ts'
import type { Repository } from '../repository.ts'

const atOnce = 16

/**
 * Locks all objects of a repository for as long as its place asks, from now on, but for packs that are condemned. Returns
 * how many. Does nothing where the store locks nothing.
 */
export async function lockAnew({ store, context }: Repository, options: AbortOptions = {}): Promise<number> {
  const { extendLock } = store
  if (!extendLock) return 0
  const { packs: condemned } = await context.tombstones.condemnations(options)
  const needed: ObjectInfo[] = []
  for await (const object of store.list('', options)) {
    const pack = packNameOf('data', object.key) ?? packNameOf('meta', object.key)
    if (pack === undefined || !condemned.has(pack)) needed.push(object)
  }
  await forEachParallel(needed, atOnce, ({ key }, { signal }) => extendLock(key, { signal }), options)
  return needed.length
}
