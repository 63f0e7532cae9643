/** Where a blob lies. */
export interface BlobPlace {
  /** The pack's number in the inventory. */
  readonly pack: number
  readonly offset: number
  readonly storedBytes: number
  readonly rawBytes: number
  readonly key: number
}

const idWords = 4
const none = 0xffffffff

/**
 * Blobs by their id, in typed arrays: about 45 bytes each, where a Map of strings takes several hundred. Blobs bear the
 * numbers 0, 1, 2 … in the order in which they were added. An id may have several, copies of one content.
 */
export class BlobIndex {
  /** Open addressing with linear probing: the first blob of an id, or `none`. At most two thirds full. */
  #slots = new Uint32Array(1024).fill(none)
  #usedSlots = 0
  #columns = newColumns(512)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns the number of the new blob. */
  add(id: Buffer, place: BlobPlace): number {
    if (this.#size === this.#columns.packs.length) this.#columns = newColumns(this.#size * 2, this.#columns)
    if (this.#usedSlots * 3 >= this.#slots.length * 2) this.#growSlots()
    const number = this.#size++
    const columns = this.#columns
    for (let word = 0; word < idWords; word++) columns.ids[number * idWords + word] = id.readUInt32LE(word * 4)
    columns.packs[number] = place.pack
    columns.offsets[number] = place.offset
    columns.storedBytes[number] = place.storedBytes
    columns.rawBytes[number] = place.rawBytes
    columns.keys[number] = place.key
    this.#link(number)
    return number
  }

  /** The first copy of `id`, or undefined. */
  first(id: Buffer): number | undefined {
    const a = id.readUInt32LE(0)
    const b = id.readUInt32LE(4)
    const c = id.readUInt32LE(8)
    const d = id.readUInt32LE(12)
    const { ids } = this.#columns
    const mask = this.#slots.length - 1
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] ?? none
      if (number === none) return undefined
      const word = number * idWords
      if (ids[word] === a && ids[word + 1] === b && ids[word + 2] === c && ids[word + 3] === d) return number
    }
  }

  /** The first copy of the id that blob `number` has. */
  firstCopy(number: number): number {
    const { ids } = this.#columns
    const own = number * idWords
    const mask = this.#slots.length - 1
    for (let slot = at(ids, own) & mask; ; slot = (slot + 1) & mask) {
      const first = this.#slots[slot] ?? none
      if (first === none) throw new RangeError(`no blob ${number}`)
      if (this.#haveSameId(number, first)) return first
    }
  }

  /** The copy after `number`, or undefined. */
  next(number: number): number | undefined {
    const next = this.#columns.next[number] ?? none
    return next === none ? undefined : next
  }

  /** All copies of `id`. */
  *copies(id: Buffer): Iterable<number> {
    for (let number = this.first(id); number !== undefined; number = this.next(number)) yield number
  }

  idOf(number: number): Buffer {
    const id = Buffer.alloc(idWords * 4)
    for (let word = 0; word < idWords; word++)
      id.writeUInt32LE(at(this.#columns.ids, number * idWords + word), word * 4)
    return id
  }

  packOf(number: number): number {
    return at(this.#columns.packs, number)
  }

  place(number: number): BlobPlace {
    const columns = this.#columns
    return {
      pack: at(columns.packs, number),
      offset: at(columns.offsets, number),
      storedBytes: at(columns.storedBytes, number),
      rawBytes: at(columns.rawBytes, number),
      key: at(columns.keys, number),
    }
  }

  /** Enters a blob in the slots, or behind the first copy of its id. */
  #link(number: number): void {
    const { ids, next } = this.#columns
    const mask = this.#slots.length - 1
    for (let slot = at(ids, number * idWords) & mask; ; slot = (slot + 1) & mask) {
      const first = this.#slots[slot] ?? none
      if (first === none) {
        this.#slots[slot] = number
        this.#usedSlots++
        return
      }
      if (this.#haveSameId(number, first)) {
        next[number] = at(next, first)
        next[first] = number
        return
      }
    }
  }

  #haveSameId(one: number, other: number): boolean {
    const { ids } = this.#columns
    const a = one * idWords
    const b = other * idWords
    return ids[a] === ids[b] && ids[a + 1] === ids[b + 1] && ids[a + 2] === ids[b + 2] && ids[a + 3] === ids[b + 3]
  }

  #growSlots(): void {
    const firsts = this.#slots.filter((number) => number !== none)
    this.#slots = new Uint32Array(this.#slots.length * 2).fill(none)
    const mask = this.#slots.length - 1
    for (const number of firsts) {
      let slot = at(this.#columns.ids, number * idWords) & mask
      while (this.#slots[slot] !== none) slot = (slot + 1) & mask
      this.#slots[slot] = number
    }
  }
}

interface Columns {
  readonly ids: Uint32Array
  readonly packs: Uint32Array
  readonly offsets: Uint32Array
  readonly storedBytes: Uint32Array
  readonly rawBytes: Uint32Array
  readonly keys: Uint8Array
  /** The next copy of the same id, or `none`. */
  readonly next: Uint32Array
}

function newColumns(capacity: number, old?: Columns): Columns {
  const columns = {
    ids: new Uint32Array(capacity * idWords),
    packs: new Uint32Array(capacity),
    offsets: new Uint32Array(capacity),
    storedBytes: new Uint32Array(capacity),
    rawBytes: new Uint32Array(capacity),
    keys: new Uint8Array(capacity),
    next: new Uint32Array(capacity).fill(none),
  }
  if (old) {
    columns.ids.set(old.ids)
    columns.packs.set(old.packs)
    columns.offsets.set(old.offsets)
    columns.storedBytes.set(old.storedBytes)
    columns.rawBytes.set(old.rawBytes)
    columns.keys.set(old.keys)
    columns.next.set(old.next)
  }
  return columns
}

function at(column: Uint32Array | Uint8Array, number: number): number {
  const value = column[number]
  if (value === undefined) throw new RangeError(`no blob ${number}`)
  return value
}
