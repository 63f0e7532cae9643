import { createHash } from 'node:crypto'
import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { packKey } from '../objects/object-keys.ts'
import type { Inventory } from '../packs/inventory.ts'
import { entriesOf } from '../packs/pack-directory.ts'
import { parseTrailer } from '../packs/pack-trailer.ts'
import type { RepositoryContext } from '../repository-context.ts'

/** Reads packs to be sure of them: what is copied, or relied upon, is only as good as what is read. */
export class WholePacks {
  /** Keys of packs that turned out to be damaged. */
  readonly damaged = new Set<string>()
  readonly #context: RepositoryContext
  readonly #inventory: Inventory

  constructor(context: RepositoryContext, inventory: Inventory) {
    this.#context = context
    this.#inventory = inventory
  }

  /** All bytes of a pack; undefined if it is damaged, gone, or not what the index says. */
  async get(number: number, options: AbortOptions): Promise<Buffer | undefined> {
    const { kind, name = '' } = this.#inventory.pack(number)
    const key = packKey(kind, name)
    try {
      const bytes = await this.#context.store.get(key, options)
      const isWhole = createHash('sha256').update(bytes).digest('hex') === name
      if (isWhole && this.#isAsIndexed(number, bytes)) return bytes
      this.damaged.add(key)
    } catch (error) {
      if (hasCode(error, 'object-missing')) return undefined
      if (!hasCode(error, 'object-damaged') && !(error instanceof RangeError)) throw error
      this.damaged.add(key)
    }
    return undefined
  }

  /** `bytes`: the whole pack, which has its hash. */
  #isAsIndexed(number: number, bytes: Buffer): boolean {
    const { blobs } = this.#inventory
    const directory = parseTrailer(bytes, bytes.length, this.#context.keys.metadata)
    const ids = [...entriesOf(directory)].map(({ id }) => id)
    const indexed = [...this.#inventory.blobsOf(number)]
    return ids.length === indexed.length && indexed.every((blob, index) => ids[index]?.equals(blobs.idOf(blob)))
  }
}
