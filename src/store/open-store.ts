import { AppError } from '../core/app-error.ts'
import { findAzureAccess } from './azure/azure-access.ts'
import { DirectoryStore } from './directory/directory-store.ts'
import type { ObjectStore, OnTrouble } from './object-store.ts'
import type { StorePlace } from './store-place.ts'

/**
 * Opens the store at a place; with `create` a directory is made if it is not there, with `asOf` it is only read, as it was
 * then. Rejects with `store-missing`, or
 * `store-denied` where `environment` holds no credentials. A bucket is asked nothing yet, and never made: who may do that
 * decides about much more than its name.
 */
export async function openStore(
  place: StorePlace,
  options: {
    readonly environment: Readonly<Record<string, string | undefined>>
    readonly homeDirectory: string
    readonly create?: boolean
    readonly asOf?: Date | undefined
    readonly onTrouble?: OnTrouble
  },
): Promise<ObjectStore> {
  if (options.asOf && place.kind !== 's3') {
    throw new AppError('usage-invalid', '--as-of needs a bucket on S3 that keeps versions', {
      hint: 'other stores are only as they are now',
    })
  }
  if (place.kind === 'directory') {
    return options.create ? DirectoryStore.create(place.path) : DirectoryStore.open(place.path)
  }
  // what speaks to servers takes long to load
  if (place.kind === 'sftp') {
    const { SftpStore } = await import('./sftp/sftp-store.ts')
    const sftpOptions = { surroundings: options, onTrouble: options.onTrouble }
    return options.create ? SftpStore.create(place, sftpOptions) : SftpStore.open(place, sftpOptions)
  }
  if (place.kind === 'azure') {
    const access = await findAzureAccess(place, options.environment)
    const { AzureStore } = await import('./azure/azure-store.ts')
    return new AzureStore(place, access, { onTrouble: options.onTrouble })
  }
  const { S3Store } = await import('./s3/s3-store.ts')
  const store = new S3Store(place, { onTrouble: options.onTrouble })
  return options.asOf ? store.asOf(options.asOf) : store
}
