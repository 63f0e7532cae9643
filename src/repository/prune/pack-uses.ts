import type { Inventory, InventoryPack } from '../packs/inventory.ts'
import type { ReachableChunks } from './reachable-chunks.ts'

/** How much of a pack is needed. */
export interface PackUse {
  readonly number: number
  readonly sizeBytes: number
  /** The blobs for which this is the copy to keep. */
  readonly needed: readonly number[]
  readonly neededBytes: number
  readonly unusedBytes: number
}

/** Tells of every blob whether it has to stay. */
export class PackUses {
  readonly #inventory: Inventory
  readonly #reachable: ReachableChunks

  constructor(inventory: Inventory, reachable: ReachableChunks) {
    this.#inventory = inventory
    this.#reachable = reachable
  }

  /** Of every pack that is there and not condemned. */
  all(): PackUse[] {
    return [...this.#inventory.packs.entries()]
      .filter(([, pack]) => isLasting(pack))
      .map(([number]) => this.#of(number))
  }

  /** Blobs of a condemned pack that a record needs and of which no lasting copy is there. */
  onlyCopies(number: number): number[] {
    return [...this.#inventory.blobsOf(number)].filter(
      (blob) => this.#reachable.has(blob) && this.#lastingCopies(blob).next().done,
    )
  }

  #of(number: number): PackUse {
    const { blobs } = this.#inventory
    const all = [...this.#inventory.blobsOf(number)]
    const needed = all.filter((blob) => this.#reachable.has(blob) && this.#isOldestCopy(blob))
    const sizeOf = (blob: number) => blobs.place(blob).storedBytes
    const neededBytes = needed.reduce((sum, blob) => sum + sizeOf(blob), 0)
    const unusedBytes = all.reduce((sum, blob) => sum + sizeOf(blob), 0) - neededBytes
    return { number, sizeBytes: this.#inventory.pack(number).sizeBytes, needed, neededBytes, unusedBytes }
  }

  /** Of several copies the oldest stays: what was there first can not have been put there to replace the others. */
  #isOldestCopy(blob: number): boolean {
    for (const copy of this.#lastingCopies(blob)) if (copy !== blob && this.#isOlder(copy, blob)) return false
    return true
  }

  #isOlder(one: number, other: number): boolean {
    const { name: a = '', storedAt: atA = future } = this.#inventory.packOf(one)
    const { name: b = '', storedAt: atB = future } = this.#inventory.packOf(other)
    if (+atA !== +atB) return atA < atB
    return a === b ? one < other : a < b
  }

  /** Copies in packs of the same kind that are there and were never condemned. */
  *#lastingCopies(blob: number): Iterator<number> & Iterable<number> {
    const { blobs } = this.#inventory
    const { kind } = this.#inventory.packOf(blob)
    let copy: number | undefined = blobs.firstCopy(blob)
    for (; copy !== undefined; copy = blobs.next(copy)) {
      const pack = this.#inventory.packOf(copy)
      if (pack.kind === kind && isLasting(pack)) yield copy
    }
  }
}

const future = new Date(8.64e15)

export function isLasting({ state, condemned }: InventoryPack): boolean {
  return state === 'stored' && !condemned
}
