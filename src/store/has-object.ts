import { hasCode } from '../core/app-error.ts'
import type { AbortOptions, ObjectStore } from './object-store.ts'

/** Reads it, so for objects that are small. What lies there and is no object of a repository counts. */
export async function hasObject(store: ObjectStore, key: string, options: AbortOptions = {}): Promise<boolean> {
  try {
    await store.get(key, options)
    return true
  } catch (error) {
    if (hasCode(error, 'object-missing')) return false
    if (hasCode(error, 'object-damaged')) return true
    throw error
  }
}
