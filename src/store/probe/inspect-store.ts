import { findAzureAccess } from '../azure/azure-access.ts'
import type { AbortOptions } from '../object-store.ts'
import type { StorePlace } from '../store-place.ts'
import type { StoreTraits } from './store-traits.ts'

/** Asks the store at a place for what it is; `key` names an object that is there. Undefined where there is nothing to ask. */
export async function inspectStore(
  place: StorePlace,
  key: string,
  options: AbortOptions & { readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<StoreTraits | undefined> {
  switch (place.kind) {
    case 'directory':
    case 'sftp':
      return undefined
    case 's3':
    case 'gs': {
      const { inspectBucket } = await import('../s3/inspect-bucket.ts')
      return inspectBucket(place, key, options)
    }
    case 'azure': {
      const access = await findAzureAccess(place, options.environment)
      const { inspectContainer } = await import('../azure/inspect-container.ts')
      return inspectContainer(place, access, key, options)
    }
  }
}
