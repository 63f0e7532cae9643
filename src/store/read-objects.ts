import { hasCode } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import { isKey } from './keys.ts'
import type { AbortOptions, ObjectInfo, ObjectStore, ReadObject } from './object-store.ts'

/** A batch ends with the object that reaches either. */
const batchObjects = 128
const batchBytes = 16 * 1024 * 1024
const readsAtOnce = 16

/** `ObjectStore.readFolder` by a `get` for each; `objects` is what the folder holds, as `list` tells it. */
export async function* readObjects(
  store: Pick<ObjectStore, 'get'>,
  prefix: string,
  objects: AsyncIterable<ObjectInfo>,
  options: AbortOptions & { readonly wanted: (key: string) => boolean },
): AsyncIterable<ReadObject[]> {
  let batch: ObjectInfo[] = []
  let bytes = 0
  for await (const object of objects) {
    const isRightThere = isKey(object.key) && !object.key.includes('/', prefix.length)
    if (!isRightThere || !options.wanted(object.key)) continue
    batch.push(object)
    bytes += object.sizeBytes
    if (batch.length < batchObjects && bytes < batchBytes) continue
    yield await readBatch(store, batch, options)
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield await readBatch(store, batch, options)
}

async function readBatch(
  store: Pick<ObjectStore, 'get'>,
  batch: readonly ObjectInfo[],
  options: AbortOptions,
): Promise<ReadObject[]> {
  const read = new Map<ObjectInfo, ReadObject>()
  await forEachParallel(
    batch,
    readsAtOnce,
    async (object, { signal }) => {
      const bytes = await store.get(object.key, { signal }).catch((error: unknown) => {
        if (hasCode(error, 'object-missing', 'object-damaged')) return error
        throw error
      })
      if (!hasCode(bytes, 'object-missing')) read.set(object, { ...object, bytes })
    },
    options,
  )
  return batch.flatMap((object) => read.get(object) ?? [])
}
