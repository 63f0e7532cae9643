import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { readFrame, writeFrame } from './zstd-frame.ts'

describe('the frame of a sealed object', () => {
  it('is one that zstd reads, whatever its length, and reads what zstd wrote', () => {
    for (const length of [0, 1, 255, 256, 257, 700, 2047, 2048, 2049, 65_791, 65_792, 200_000]) {
      const content = Buffer.alloc(length, 'a record of a backup, ')
      const frame = writeFrame(content)
      assert.ok(zstdDecompressSync(frame).equals(content), `${length} bytes are read by zstd`)
      assert.ok(readFrame(frame, 1_000_000).equals(content), `${length} bytes are read here`)
      assert.ok(readFrame(zstdCompressSync(content), 1_000_000).equals(content), `${length} bytes of zstd`)
      const noise = randomBytes(length)
      assert.ok(readFrame(zstdCompressSync(noise), 1_000_000).equals(noise), `${length} bytes of noise`)
    }
  })

  it('is refused when it is cut off, is none, or holds too much', () => {
    const frame = writeFrame(Buffer.alloc(1000, 'x'))
    for (const broken of [frame.subarray(0, -1), frame.subarray(1), Buffer.alloc(700), Buffer.alloc(0)]) {
      assert.throws(() => readFrame(broken, 1_000_000))
    }
    assert.throws(() => readFrame(zstdCompressSync(Buffer.alloc(100_000)), 99_999))
  })
})
