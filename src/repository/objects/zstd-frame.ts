import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** Below it compression saves nothing that a file system would notice. */
const worthwhileBytes = 2048
const magic = 0xfd2fb528
/** One segment, whose length stands in two bytes, less 256; see RFC 8878, 3.1.1.1. */
const singleSegment = 0x60
const headerBytes = 10
const lengthOffset = 256

/**
 * A zstd frame. Little content is not compressed but stands in it as it is: Node takes longer to make a decompressor than to
 * do anything else with a record, and `readFrame` then needs none.
 */
export function writeFrame(content: Uint8Array): Buffer {
  if (content.length < lengthOffset || content.length > worthwhileBytes) return zstdCompressSync(content)
  const frame = Buffer.allocUnsafe(headerBytes + content.length)
  frame.writeUInt32LE(magic, 0)
  frame.writeUInt8(singleSegment, 4)
  frame.writeUInt16LE(content.length - lengthOffset, 5)
  frame.writeUIntLE(lastRawBlock(content.length), 7, 3)
  frame.set(content, headerBytes)
  return frame
}

/** The content of a frame. Throws when it is none, or holds more than `most` bytes. */
export function readFrame(frame: Buffer, most: number): Buffer {
  return isPlain(frame) ? frame.subarray(headerBytes) : zstdDecompressSync(frame, { maxOutputLength: most })
}

function isPlain(frame: Buffer): boolean {
  const length = frame.length - headerBytes
  return (
    length >= lengthOffset &&
    frame.readUInt32LE(0) === magic &&
    frame.readUInt8(4) === singleSegment &&
    frame.readUInt16LE(5) === length - lengthOffset &&
    frame.readUIntLE(7, 3) === lastRawBlock(length)
  )
}

/** The header of a block (3.1.1.2): it is the last, type 0, this long. */
function lastRawBlock(length: number): number {
  return (length << 3) | 1
}
