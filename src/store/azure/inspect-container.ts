import type { BlobUploadCommonResponse, BlockBlobClient } from '@azure/storage-blob'
import type { AbortOptions } from '../object-store.ts'
import type { StoreTraits } from '../probe/store-traits.ts'
import type { AzureAccess } from './azure-access.ts'
import { createContainerClient } from './azure-client.ts'
import { azureCode } from './azure-errors.ts'
import type { AzurePlace } from './azure-place.ts'

/** Asked once each: what fails stays unknown. `key` names a blob that is there. */
export async function inspectContainer(
  place: AzurePlace,
  access: AzureAccess,
  key: string,
  { signal }: AbortOptions,
): Promise<StoreTraits> {
  const container = createContainerClient(place.container, access, { connectMs: 10_000, silenceMs: 30_000 })
  const blob = container.getBlockBlobClient(`${place.prefix}${key}`)
  const abort = signal ? { abortSignal: signal } : {}
  const ask = async <Result>(question: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await question()
    } catch (error) {
      signal?.throwIfAborted()
      if (azureCode(error) === undefined) throw error
      return undefined
    }
  }
  const put = await ask(() => putAgain(blob, abort))
  const properties = await ask(() => container.getProperties(abort))
  const isLocked = properties && (properties.hasImmutabilityPolicy || properties.hasLegalHold)
  return {
    conditionalPut: await ask(() => refusesToReplace(blob, abort)),
    // an account that keeps versions names the one that it has made
    versioning: put && (put.versionId === undefined ? 'off' : 'on'),
    objectLock: properties && (isLocked ? { mode: 'policy of the container', period: 'as set' } : 'off'),
  }
}

type Abort = { readonly abortSignal?: AbortSignal }

async function putAgain(blob: BlockBlobClient, abort: Abort): Promise<BlobUploadCommonResponse> {
  const content = await blob.downloadToBuffer(0, undefined, abort)
  return blob.upload(content, content.length, abort)
}

async function refusesToReplace(blob: BlockBlobClient, abort: Abort): Promise<boolean> {
  const content = await blob.downloadToBuffer(0, undefined, abort)
  try {
    await blob.upload(content, content.length, { ...abort, conditions: { ifNoneMatch: '*' } })
    return false
  } catch (error) {
    if (azureCode(error) === 'BlobAlreadyExists') return true
    throw error
  }
}
