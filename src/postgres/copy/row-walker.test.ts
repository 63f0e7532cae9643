import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { RowWalker, addDigests, emptyDigest } from './row-walker.ts'

const copyData = (payload: Uint8Array) => {
  const header = Buffer.alloc(5)
  header.write('d')
  header.writeInt32BE(payload.length + 4, 1)
  return Buffer.concat([header, payload])
}

/** Feeds `stream` in pieces of the sizes given, as a socket would, and collects what comes out. */
function walkInPieces(stream: Buffer, nextSize: () => number) {
  const walker = RowWalker.take()
  const rows: Buffer[] = []
  let pending = Buffer.alloc(0)
  let at = 0
  while (at < stream.length) {
    const size = nextSize()
    pending = Buffer.concat([pending, stream.subarray(at, at + size)])
    at += size
    const walked = walker.walk(pending)
    rows.push(Buffer.from(walked.rows))
    pending = pending.subarray(walked.consumed)
  }
  return { digest: walker.finish(), bytes: Buffer.concat(rows), rest: pending }
}

describe('the row walker', () => {
  it("computes xxHash's published test values", () => {
    // xxh64 with seed 0 of these inputs, from the xxHash project's own tests and command
    const known: [string, bigint][] = [
      ['', 0xef46db3751d8e999n],
      ['a', 0xd24ec4f1a98c6e5bn],
      ['abc', 0x44bc2cf5ad770999n],
      ['Nobody inspects the spammish repetition', 0xfbcea83c8a378bf1n],
    ]
    for (const [text, hash] of known) {
      assert.equal(walkInPieces(copyData(Buffer.from(text)), () => 1 << 20).digest.hash, hash, text)
    }
  })

  it('gives the same rows and hash however the bytes are split', () => {
    const payloads = Array.from({ length: 300 }, () => randomBytes(randomInt(0, 150)))
    payloads.push(randomBytes(200_000))
    const stream = Buffer.concat(payloads.map(copyData))
    const whole = walkInPieces(stream, () => stream.length)
    assert.equal(whole.digest.rows, 301)
    assert.deepEqual(whole.bytes, Buffer.concat(payloads))
    for (const nextSize of [() => 1, () => 7, () => randomInt(1, 70), () => 65_536]) {
      assert.deepEqual(walkInPieces(stream, nextSize), whole)
    }
  })

  it('adds up over parts and does not see the order of rows, but sees a changed byte and a doubled row', () => {
    const rows = Array.from({ length: 50 }, (_, i) => Buffer.from(`${i}\trow ${i}\n`))
    const digestOf = (some: Buffer[]) => walkInPieces(Buffer.concat(some.map(copyData)), () => 1000).digest
    const all = digestOf(rows)
    assert.deepEqual(addDigests(addDigests(emptyDigest, digestOf(rows.slice(20))), digestOf(rows.slice(0, 20))), all)
    assert.deepEqual(digestOf(rows.toReversed()), all)
    assert.notEqual(digestOf([...rows.slice(1), Buffer.from('0\trow 1\n')]).hash, all.hash)
    assert.notEqual(digestOf([...rows, Buffer.from('1\trow 1\n'), Buffer.from('1\trow 1\n')]).hash, all.hash)
  })

  it('stops at the first message that is not CopyData', () => {
    const done = Buffer.from([0x63, 0, 0, 0, 4, 0x43])
    const { digest, rest } = walkInPieces(Buffer.concat([copyData(Buffer.from('x\n')), done]), () => 100)
    assert.equal(digest.rows, 1)
    assert.deepEqual(rest, done)
  })
})
