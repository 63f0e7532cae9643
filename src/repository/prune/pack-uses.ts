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
  /** Numbers of the packs with the older copies of what is reachable and not `needed`. */
  readonly olderCopiesIn: ReadonlySet<number>
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
    const needed: number[] = []
    const olderCopiesIn = new Set<number>()
    for (const blob of all.filter((one) => this.#reachable.has(one))) {
      const oldest = this.#oldestCopy(blob)
      if (oldest === blob) needed.push(blob)
      else olderCopiesIn.add(blobs.packOf(oldest))
    }
    olderCopiesIn.delete(number)
    const sizeOf = (blob: number) => blobs.place(blob).storedBytes
    const neededBytes = needed.reduce((sum, blob) => sum + sizeOf(blob), 0)
    const unusedBytes = all.reduce((sum, blob) => sum + sizeOf(blob), 0) - neededBytes
    const { sizeBytes } = this.#inventory.pack(number)
    return { number, sizeBytes, needed, neededBytes, unusedBytes, olderCopiesIn }
  }

  /** Of several copies this one stays: what was there first can not have been put there to replace the others. */
  #oldestCopy(blob: number): number {
    let oldest = blob
    for (const copy of this.#lastingCopies(blob)) if (this.#isOlder(copy, oldest)) oldest = copy
    return oldest
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
