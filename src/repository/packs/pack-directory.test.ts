import assert from 'node:assert/strict'
import { createSecretKey, randomBytes, randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { formatIndex, parseIndex } from './index-object.ts'
import { entriesOf, formatDirectory, formatEntry, padDirectory, parseDirectory } from './pack-directory.ts'
import { formatTrailer, parseTrailer } from './pack-trailer.ts'
import { padmeLength } from './padme.ts'

const keys = [Buffer.from('first wrapped key'), Buffer.from('second')]
const blobs = Array.from({ length: 40 }, (_, number) => ({
  id: randomBytes(16),
  key: number % 3 === 2 ? 255 : number % 3,
  storedBytes: 29 + number,
  rawBytes: number * 5,
}))
const directory = formatDirectory(
  keys,
  blobs.map((blob) => formatEntry(blob.id, blob)),
)

describe('pack directory', () => {
  it('is read back with and without padding', () => {
    for (const bytes of [directory, padDirectory(directory)]) {
      const parsed = parseDirectory(bytes)
      assert.deepEqual(parsed.keys, keys)
      assert.deepEqual(
        [...entriesOf(parsed)].map(({ id, key, storedBytes, rawBytes }) => ({ id, key, storedBytes, rawBytes })),
        blobs,
      )
      assert.equal(parsed.blobBytes, 40 * 29 + (39 * 40) / 2)
    }
    assert.deepEqual(parseDirectory(formatDirectory([], [])).entries.length, 0)
  })

  it('refuses whatever is cut short, and never fails otherwise on bytes that were changed', () => {
    for (let length = 0; length < directory.length; length++) {
      assert.throws(() => parseDirectory(directory.subarray(0, length)), RangeError)
    }
    for (let round = 0; round < 20_000; round++) {
      const changed = Buffer.from(padDirectory(directory))
      for (let change = randomInt(1, 4); change > 0; change--) changed[randomInt(changed.length)] = randomInt(256)
      parsesOrRefuses(() => parseDirectory(changed))
      parsesOrRefuses(() => parseDirectory(randomBytes(randomInt(200))))
    }
  })

  it('refuses an index that was changed, or reads something that is one', () => {
    const pack = { name: 'ab'.repeat(32), kind: 'meta', sizeBytes: 5000, directory } as const
    const index = formatIndex([pack, { ...pack, kind: 'data' }])
    assert.deepEqual(
      parseIndex(index).map(({ name, kind, sizeBytes }) => [name, kind, sizeBytes]),
      [
        [pack.name, 'meta', 5000],
        [pack.name, 'data', 5000],
      ],
    )
    for (let length = 0; length < index.length; length++) {
      assert.throws(() => parseIndex(index.subarray(0, length)), RangeError)
    }
    for (let round = 0; round < 5000; round++) {
      const changed = Buffer.from(index)
      for (let change = randomInt(1, 4); change > 0; change--) changed[randomInt(changed.length)] = randomInt(256)
      parsesOrRefuses(() => parseIndex(changed))
    }
  })

  it('refuses a trailer that was changed anywhere', () => {
    const key = createSecretKey(randomBytes(32))
    const pack = Buffer.concat([Buffer.alloc(parseDirectory(directory).blobBytes), ...formatTrailer(directory, key)])
    const trailerStart = parseDirectory(directory).blobBytes
    assert.equal(parseTrailer(pack, pack.length, key).entries.length, 40 * 25)
    for (let position = trailerStart; position < pack.length; position++) {
      const changed = Buffer.from(pack)
      changed.writeUInt8(changed.readUInt8(position) ^ (1 << randomInt(8)), position)
      assert.throws(() => parseTrailer(changed, changed.length, key))
    }
    for (let length = 0; length < pack.length; length += 7) {
      assert.throws(() => parseTrailer(pack.subarray(0, length), length, key))
    }
  })
})

describe('padding', () => {
  it('never shortens, costs at most 12 %, and leaves few lengths', () => {
    const lengths = new Set<number>()
    for (let length = 0; length < 20_000; length++) {
      const padded = padmeLength(length)
      assert.ok(padded >= length && padded <= Math.max(length + 1, length * 1.12))
      assert.equal(padmeLength(padded), padded)
      lengths.add(padded)
    }
    assert.ok(lengths.size < 250)
    assert.equal(padmeLength(9), 10)
    assert.equal(padmeLength(1_000_000), 1_015_808)
  })
})

function parsesOrRefuses(parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error))
  }
}
