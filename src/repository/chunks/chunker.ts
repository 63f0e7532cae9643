/** How far back the hash looks: a 32-bit word shifted left once a byte. */
const windowBytes = 32
/** A cut is four times less likely before the average length and four times likelier after it (FastCDC's "level 2"). */
const normalisation = 2

export const smallestAverageBytes = 4 * 1024
export const largestAverageBytes = 4 * 1024 * 1024

export function longestChunkBytes(averageBytes: number): number {
  return averageBytes * 4
}

/**
 * Content-defined cut points: the same bytes after a cut give the same next cut, however they arrive and whatever stood
 * before. `averageBytes` is a power of two; chunks are a quarter to four times as long, only the last may be shorter.
 */
export class Chunker {
  readonly #table: Uint32Array
  readonly #minimum: number
  readonly #average: number
  readonly #maximum: number
  readonly #strictMask: number
  readonly #looseMask: number
  #length = 0
  #hash = 0

  constructor(gearTable: Uint32Array, averageBytes: number) {
    const bits = Math.log2(averageBytes)
    this.#table = gearTable
    this.#minimum = averageBytes / 4
    this.#average = averageBytes
    this.#maximum = longestChunkBytes(averageBytes)
    this.#strictMask = highBits(bits + normalisation)
    this.#looseMask = highBits(bits - normalisation)
  }

  /**
   * Looks at `bytes` from `start` on, which must follow what was looked at before. The index after the last byte of the
   * chunk under way, or -1 if it goes on beyond `bytes`.
   */
  findCut(bytes: Uint8Array, start: number): number {
    const table = this.#table
    const end = bytes.length
    let position = start
    let length = this.#length
    let hash = this.#hash

    const warmUp = this.#minimum - windowBytes
    if (length < warmUp) {
      const skipped = Math.min(warmUp - length, end - position)
      position += skipped
      length += skipped
    }
    const untested = Math.min(end, position + Math.max(0, this.#minimum - 1 - length))
    length += untested - position
    for (; position < untested; position++) hash = ((hash << 1) + (table[bytes[position] ?? 0] ?? 0)) | 0

    const strictMask = this.#strictMask
    const strict = Math.min(end, position + Math.max(0, this.#average - length))
    length += strict - position
    for (; position < strict; position++) {
      hash = ((hash << 1) + (table[bytes[position] ?? 0] ?? 0)) | 0
      if ((hash & strictMask) === 0) return this.#cut(position + 1)
    }

    const looseMask = this.#looseMask
    const loose = Math.min(end, position + Math.max(0, this.#maximum - length))
    length += loose - position
    for (; position < loose; position++) {
      hash = ((hash << 1) + (table[bytes[position] ?? 0] ?? 0)) | 0
      if ((hash & looseMask) === 0) return this.#cut(position + 1)
    }
    if (length === this.#maximum) return this.#cut(position)

    this.#length = length
    this.#hash = hash
    return -1
  }

  #cut(position: number): number {
    this.#length = 0
    this.#hash = 0
    return position
  }
}

function highBits(count: number): number {
  return -1 << (32 - count)
}
