import type { AbortOptions } from '../object-store.ts'
import type { StorePlace } from '../store-place.ts'
import type { StoreTraits } from './store-traits.ts'

/** Asks the store at a place for what it is; `key` names an object that is there. Undefined where there is nothing to ask. */
export async function inspectStore(
  place: StorePlace,
  key: string,
  options: AbortOptions,
): Promise<StoreTraits | undefined> {
  if (place.kind !== 's3' && place.kind !== 'gs') return undefined
  const { inspectBucket } = await import('../s3/inspect-bucket.ts')
  return inspectBucket(place, key, options)
}
