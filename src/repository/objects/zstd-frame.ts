import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** Below it compression saves nothing that a file system would notice. */
const worthwhileBytes = 2048
const magic = 0xfd2fb528
/** One segment, whose length stands in one byte, or in two, less 256; see RFC 8878, 3.1.1.1. */
const shortSegment = 0x20
const longSegment = 0x60
const longSegmentOffset = 256
/** Magic, descriptor, length and the header of the block. */
const shortHeaderBytes = 9

/**
 * A zstd frame. Little content is not compressed but stands in it as it is: Node takes longer to make a decompressor than to
 * do anything else with a record, and `readFrame` then needs none.
 */
export function writeFrame(content: Uint8Array): Buffer {
  if (content.length > worthwhileBytes) return zstdCompressSync(content)
  const header = plainHeader(content.length)
  const frame = Buffer.allocUnsafe(header.length + content.length)
  frame.set(header)
  frame.set(content, header.length)
  return frame
}

/** The content of a frame. Throws when it is none, or holds more than `most` bytes. */
export function readFrame(frame: Buffer, most: number): Buffer {
  for (const headerBytes of [shortHeaderBytes, shortHeaderBytes + 1]) {
    const length = frame.length - headerBytes
    if (length < 0 || length > worthwhileBytes) continue
    const header = plainHeader(length)
    if (header.length === headerBytes && header.equals(frame.subarray(0, headerBytes)))
      return frame.subarray(headerBytes)
  }
  return zstdDecompressSync(frame, { maxOutputLength: most })
}

/** What stands before so much content that is left as it is. */
function plainHeader(contentBytes: number): Buffer {
  const isShort = contentBytes < longSegmentOffset
  const header = Buffer.allocUnsafe(isShort ? shortHeaderBytes : shortHeaderBytes + 1)
  header.writeUInt32LE(magic, 0)
  header.writeUInt8(isShort ? shortSegment : longSegment, 4)
  if (isShort) header.writeUInt8(contentBytes, 5)
  else header.writeUInt16LE(contentBytes - longSegmentOffset, 5)
  header.writeUIntLE(lastRawBlock(contentBytes), header.length - 3, 3)
  return header
}

/** The header of a block (3.1.1.2): it is the last, type 0, this long. */
function lastRawBlock(length: number): number {
  return (length << 3) | 1
}
