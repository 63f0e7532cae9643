import type { KeyObject } from 'node:crypto'
import type { ObjectStore } from '../store/object-store.ts'
import type { DerivedKeys } from './keys/derived-keys.ts'
import type { KeyRing } from './keys/key-ring.ts'
import type { RepositoryConfig } from './repository-config.ts'
import type { TombstoneBook } from './sessions/tombstones.ts'

/** An open repository, as the parts of this room hand it to each other. */
export interface RepositoryContext {
  readonly store: ObjectStore
  readonly config: RepositoryConfig
  /** R, to be wrapped for those who get access. */
  readonly secret: KeyObject
  readonly keys: DerivedKeys
  readonly keyRing: KeyRing
  readonly tombstones: TombstoneBook
}
