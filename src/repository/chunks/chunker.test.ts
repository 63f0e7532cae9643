import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { Chunker } from './chunker.ts'
import { deriveKeys } from '../keys/derived-keys.ts'

const table = deriveKeys(Buffer.alloc(32, 7)).gearTable
const averageBytes = 4096

function cutPoints(bytes: Uint8Array, pieceBytes: number, gearTable = table): number[] {
  const chunker = new Chunker(gearTable, averageBytes)
  const cuts: number[] = []
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const piece = bytes.subarray(start, start + pieceBytes)
    for (let from = 0; from < piece.length;) {
      const cut = chunker.findCut(piece, from)
      if (cut < 0) break
      cuts.push(start + cut)
      from = cut
    }
  }
  return cuts
}

/** The definition in docs/format.md, one chunk and one byte at a time. */
function definedCuts(bytes: Uint8Array): number[] {
  const cuts: number[] = []
  for (let start = 0; start < bytes.length;) {
    let hash = 0
    let length = averageBytes / 4 - 32
    for (; start + length < bytes.length;) {
      hash = ((hash << 1) + (table[bytes[start + length] ?? 0] ?? 0)) >>> 0
      length++
      const zeroBits = length <= averageBytes ? 12 + 2 : 12 - 2
      if (length >= averageBytes / 4 && (hash >>> (32 - zeroBits) === 0 || length === averageBytes * 4)) break
    }
    if (start + length >= bytes.length) {
      const isCut = start + length === bytes.length && cutPoints(bytes, bytes.length).includes(bytes.length)
      return isCut ? [...cuts, bytes.length] : cuts
    }
    start += length
    cuts.push(start)
  }
  return cuts
}

describe('chunker', () => {
  const bytes = randomBytes(400_000)

  it('cuts where the format says', () => {
    assert.deepEqual(cutPoints(bytes, bytes.length), definedCuts(bytes))
    const zeros = Buffer.alloc(100_000)
    assert.deepEqual(cutPoints(zeros, zeros.length), definedCuts(zeros))
  })

  it('cuts at the same places however the bytes arrive', () => {
    const whole = cutPoints(bytes, bytes.length)
    for (const pieceBytes of [1, 2, 31, 1023, 1024, 4097, 65_536]) assert.deepEqual(cutPoints(bytes, pieceBytes), whole)
  })

  it('keeps to the lengths that were asked for', () => {
    const cuts = [0, ...cutPoints(bytes, bytes.length)]
    const lengths = cuts.slice(1).map((cut, index) => cut - (cuts[index] ?? 0))
    assert.ok(lengths.every((length) => length >= averageBytes / 4 && length <= averageBytes * 4))
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
    assert.ok(mean > averageBytes * 0.7 && mean < averageBytes * 1.6, `mean ${mean}`)
  })

  it('finds the old cuts again after an insertion', () => {
    const cuts = cutPoints(bytes, bytes.length)
    const changed = Buffer.concat([bytes.subarray(0, 100_000), Buffer.from('inserted'), bytes.subarray(100_000)])
    const shifted = new Set(cutPoints(changed, changed.length).map((cut) => cut - 8))
    const lost = cuts.filter((cut) => cut > 100_000 && !shifted.has(cut))
    assert.ok(lost.length < 10, `${lost.length} of ${cuts.length} cuts moved`)
  })

  it('cuts elsewhere under another key', () => {
    const other = deriveKeys(Buffer.alloc(32, 8)).gearTable
    const cuts = new Set(cutPoints(bytes, bytes.length))
    assert.ok(cutPoints(bytes, bytes.length, other).filter((cut) => cuts.has(cut)).length < 5)
  })

  it('cuts at the longest length when nothing invites a cut', () => {
    const flat = new Uint32Array(256).fill(1)
    assert.deepEqual(cutPoints(Buffer.alloc(40_000), 7, flat), [16_384, 32_768])
  })
})
