import { hasCode } from '../core/app-error.ts'
import type { AbortOptions, ObjectStore } from './object-store.ts'

/** Reads it: for objects that are small. */
export async function hasObject(store: ObjectStore, key: string, options: AbortOptions = {}): Promise<boolean> {
  try {
    await store.get(key, options)
    return true
  } catch (error) {
    if (hasCode(error, 'object-missing')) return false
    throw error
  }
}
