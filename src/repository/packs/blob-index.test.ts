import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { BlobIndex } from './blob-index.ts'

const place = (pack: number) => ({ pack, offset: pack * 3, storedBytes: 40, rawBytes: 10, key: 255 })

describe('blob index', () => {
  it('finds what was added after it has grown, and nothing else', () => {
    const index = new BlobIndex()
    const ids = Array.from({ length: 5000 }, () => randomBytes(16))
    for (const [number, id] of ids.entries()) assert.equal(index.add(id, place(number)), number)
    for (const [number, id] of ids.entries()) {
      assert.equal(index.first(id), number)
      assert.deepEqual(index.place(number), place(number))
      assert.deepEqual(index.idOf(number), id)
    }
    assert.equal(index.first(randomBytes(16)), undefined)
  })

  it('keeps every copy of an id', () => {
    const index = new BlobIndex()
    const id = randomBytes(16)
    for (let pack = 0; pack < 3; pack++) index.add(id, place(pack))
    for (let other = 0; other < 3000; other++) index.add(randomBytes(16), place(9))
    assert.deepEqual(
      [...index.copies(id)].map((blob) => index.packOf(blob)).toSorted((a, b) => a - b),
      [0, 1, 2],
    )
  })

  it('tells apart ids that fall into the same slot', () => {
    const index = new BlobIndex()
    const ids = Array.from({ length: 50 }, (_, number) =>
      Buffer.concat([Buffer.alloc(12), Buffer.from([number, 0, 0, 0])]),
    )
    for (const [number, id] of ids.entries()) index.add(id, place(number))
    for (const [number, id] of ids.entries()) assert.equal(index.first(id), number)
  })
})
