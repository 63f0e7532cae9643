import { chunkIdBytes } from '../chunks/chunk-id.ts'
import { directoryEntryBytes } from './pack-directory.ts'

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
/** Columns are kept in pieces of so many blobs, so that growing copies next to nothing. */
const pieceBits = 16
const pieceBlobs = 1 << pieceBits
const firstPieceBlobs = 512

/**
 * Blobs by their id, in typed arrays: about 41 bytes each, where a Map of strings takes several hundred. Blobs bear the
 * numbers 0, 1, 2 … in the order in which they were added. An id may have several, copies of one content.
 */
export class BlobIndex {
  /** Open addressing with linear probing: the first blob of an id, or `none`. At most two thirds full. */
  #slots = new Uint32Array(1024).fill(none)
  #usedSlots = 0
  readonly #pieces: Columns[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns the number of the new blob. */
  add(id: Buffer, place: BlobPlace): number {
    return this.#add(id, 0, place.pack, place.offset, place.storedBytes, place.rawBytes, place.key)
  }

  /** All blobs of a pack in their order, as its directory has them; no object is made for any. */
  addPack(pack: number, entries: Buffer): void {
    let offset = 0
    for (let start = 0; start < entries.length; start += directoryEntryBytes) {
      const after = start + chunkIdBytes
      const storedBytes = entries.readUInt32LE(after + 1)
      this.#add(entries, start, pack, offset, storedBytes, entries.readUInt32LE(after + 5), entries.readUInt8(after))
      offset += storedBytes
    }
  }

  #add(
    bytes: Buffer,
    idStart: number,
    pack: number,
    offset: number,
    storedBytes: number,
    rawBytes: number,
    key: number,
  ): number {
    const number = this.#size++
    const columns = this.#pieceFor(number)
    const row = number % pieceBlobs
    for (let word = 0; word < idWords; word++) {
      columns.ids[row * idWords + word] = bytes.readUInt32LE(idStart + word * 4)
    }
    columns.packs[row] = pack
    columns.offsets[row] = offset
    columns.storedBytes[row] = storedBytes
    columns.rawBytes[row] = rawBytes
    columns.keys[row] = key
    if (this.#usedSlots * 3 >= this.#slots.length * 2) this.#growSlots()
    this.#link(number)
    return number
  }

  /** The first copy of `id`, or undefined. */
  first(id: Buffer): number | undefined {
    const a = id.readUInt32LE(0)
    const b = id.readUInt32LE(4)
    const c = id.readUInt32LE(8)
    const d = id.readUInt32LE(12)
    const mask = this.#slots.length - 1
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] ?? none
      if (number === none) return undefined
      const { ids } = this.#pieceOf(number)
      const word = (number % pieceBlobs) * idWords
      if (ids[word] === a && ids[word + 1] === b && ids[word + 2] === c && ids[word + 3] === d) return number
    }
  }

  /** The first copy of the id that blob `number` has. */
  firstCopy(number: number): number {
    const mask = this.#slots.length - 1
    for (let slot = this.#firstWord(number) & mask; ; slot = (slot + 1) & mask) {
      const first = this.#slots[slot] ?? none
      if (first === none) throw new RangeError(`no blob ${number}`)
      if (this.#haveSameId(number, first)) return first
    }
  }

  /** The copy after `number`, or undefined. */
  next(number: number): number | undefined {
    const next = this.#pieceOf(number).next?.[number % pieceBlobs] ?? none
    return next === none ? undefined : next
  }

  /** All copies of `id`. */
  *copies(id: Buffer): Iterable<number> {
    for (let number = this.first(id); number !== undefined; number = this.next(number)) yield number
  }

  idOf(number: number): Buffer {
    const id = Buffer.alloc(idWords * 4)
    const { ids } = this.#pieceOf(number)
    for (let word = 0; word < idWords; word++) {
      id.writeUInt32LE(at(ids, (number % pieceBlobs) * idWords + word), word * 4)
    }
    return id
  }

  packOf(number: number): number {
    return at(this.#pieceOf(number).packs, number % pieceBlobs)
  }

  place(number: number): BlobPlace {
    const columns = this.#pieceOf(number)
    const row = number % pieceBlobs
    return {
      pack: at(columns.packs, row),
      offset: at(columns.offsets, row),
      storedBytes: at(columns.storedBytes, row),
      rawBytes: at(columns.rawBytes, row),
      key: at(columns.keys, row),
    }
  }

  #pieceOf(number: number): Columns {
    const columns = number < this.#size ? this.#pieces[number >>> pieceBits] : undefined
    if (!columns) throw new RangeError(`no blob ${number}`)
    return columns
  }

  /** With room for it. */
  #pieceFor(number: number): Columns {
    const piece = number >>> pieceBits
    const columns = this.#pieces[piece]
    if (columns && number % pieceBlobs < columns.packs.length) return columns
    const isFirst = this.#pieces.length === 0 || (piece === 0 && columns !== undefined)
    const capacity = isFirst ? Math.max(firstPieceBlobs, number * 2) : pieceBlobs
    return (this.#pieces[piece] = newColumns(capacity, columns))
  }

  #firstWord(number: number): number {
    return at(this.#pieceOf(number).ids, (number % pieceBlobs) * idWords)
  }

  /** Enters a blob in the slots, or behind the first copy of its id. */
  #link(number: number): void {
    const mask = this.#slots.length - 1
    for (let slot = this.#firstWord(number) & mask; ; slot = (slot + 1) & mask) {
      const first = this.#slots[slot] ?? none
      if (first === none) {
        this.#slots[slot] = number
        this.#usedSlots++
        return
      }
      if (this.#haveSameId(number, first)) {
        this.#setNext(number, this.next(first) ?? none)
        this.#setNext(first, number)
        return
      }
    }
  }

  #setNext(number: number, next: number): void {
    const columns = this.#pieceOf(number)
    columns.next ??= new Uint32Array(columns.packs.length).fill(none)
    columns.next[number % pieceBlobs] = next
  }

  #haveSameId(one: number, other: number): boolean {
    const { ids } = this.#pieceOf(one)
    const { ids: others } = this.#pieceOf(other)
    const a = (one % pieceBlobs) * idWords
    const b = (other % pieceBlobs) * idWords
    return (
      ids[a] === others[b] &&
      ids[a + 1] === others[b + 1] &&
      ids[a + 2] === others[b + 2] &&
      ids[a + 3] === others[b + 3]
    )
  }

  #growSlots(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2).fill(none)
    const mask = this.#slots.length - 1
    for (const number of old) {
      if (number === none) continue
      let slot = this.#firstWord(number) & mask
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
  /** The next copy of the same id, or `none`; undefined as long as there is none in this piece. */
  next: Uint32Array | undefined
}

function newColumns(capacity: number, old?: Columns): Columns {
  const columns = {
    ids: new Uint32Array(capacity * idWords),
    packs: new Uint32Array(capacity),
    offsets: new Uint32Array(capacity),
    storedBytes: new Uint32Array(capacity),
    rawBytes: new Uint32Array(capacity),
    keys: new Uint8Array(capacity),
    next: old?.next && new Uint32Array(capacity).fill(none),
  }
  if (old) {
    columns.ids.set(old.ids)
    columns.packs.set(old.packs)
    columns.offsets.set(old.offsets)
    columns.storedBytes.set(old.storedBytes)
    columns.rawBytes.set(old.rawBytes)
    columns.keys.set(old.keys)
    if (old.next) columns.next?.set(old.next)
  }
  return columns
}

function at(column: Uint32Array | Uint8Array, number: number): number {
  const value = column[number]
  if (value === undefined) throw new RangeError(`no blob ${number}`)
  return value
}
