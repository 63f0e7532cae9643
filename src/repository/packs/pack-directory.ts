import { largestBlobBytes, smallestBlobBytes } from '../chunks/blob-codec.ts'
import { chunkIdBytes } from '../chunks/chunk-id.ts'
import { padmeLength } from './padme.ts'

/** The number that a blob bears whose key is the metadata key; no pack holds as many data keys. */
export const metadataKeyNumber = 255
/** id[16] ‖ key number u8 ‖ stored length u32 ‖ raw length u32. */
export const directoryEntryBytes = chunkIdBytes + 9

/** What a pack holds, in the order in which it lies there from offset 0 on, without gaps. */
export interface PackDirectory {
  /** Data keys, each as an age file. Blobs name them by their position. */
  readonly keys: readonly Uint8Array[]
  /** `directoryEntryBytes` for each blob. */
  readonly entries: Buffer
  /** Of all blobs together, as stored. */
  readonly blobBytes: number
}

export interface DirectoryEntry {
  readonly id: Buffer
  readonly key: number
  readonly offset: number
  readonly storedBytes: number
  readonly rawBytes: number
}

/** One entry of a directory. */
export function formatEntry(id: Uint8Array, entry: { key: number; storedBytes: number; rawBytes: number }): Buffer {
  const bytes = Buffer.allocUnsafe(directoryEntryBytes)
  bytes.set(id)
  bytes.writeUInt8(entry.key, chunkIdBytes)
  bytes.writeUInt32LE(entry.storedBytes, chunkIdBytes + 1)
  bytes.writeUInt32LE(entry.rawBytes, chunkIdBytes + 5)
  return bytes
}

/** `entries`: each holds one or more. */
export function formatDirectory(keys: readonly Uint8Array[], entries: readonly Uint8Array[]): Buffer {
  const parts = [Buffer.from([keys.length])]
  for (const key of keys) {
    const length = Buffer.alloc(2)
    length.writeUInt16LE(key.length)
    parts.push(length, Buffer.from(key))
  }
  const count = Buffer.alloc(4)
  count.writeUInt32LE(entries.reduce((bytes, { length }) => bytes + length, 0) / directoryEntryBytes)
  return Buffer.concat([...parts, count, ...entries])
}

/** Appends zeros, so that the length does not say how many blobs there are. */
export function padDirectory(directory: Buffer): Buffer {
  return Buffer.concat([directory], padmeLength(directory.length))
}

/** Reads a directory with or without its padding. Throws RangeError for whatever is not one. */
export function parseDirectory(bytes: Buffer): PackDirectory {
  let position = 0
  const take = (length: number): Buffer => {
    if (length > bytes.length - position) throw new RangeError('the directory ends too early')
    position += length
    return bytes.subarray(position - length, position)
  }
  const keys: Uint8Array[] = []
  const keyCount = take(1).readUInt8()
  if (keyCount >= metadataKeyNumber) throw new RangeError('the directory holds too many keys')
  for (let number = 0; number < keyCount; number++) keys.push(take(take(2).readUInt16LE()))
  const entries = take(take(4).readUInt32LE() * directoryEntryBytes)
  if (bytes.subarray(position).some((byte) => byte !== 0)) throw new RangeError('the directory goes on after its end')
  let blobBytes = 0
  // without an object for each: indexes of large repositories hold millions
  for (let position = chunkIdBytes; position < entries.length; position += directoryEntryBytes) {
    const key = entries.readUInt8(position)
    const storedBytes = entries.readUInt32LE(position + 1)
    const rawBytes = entries.readUInt32LE(position + 5)
    if (key !== metadataKeyNumber && key >= keyCount) throw new RangeError('a blob names a key that is not there')
    if (storedBytes < smallestBlobBytes || storedBytes > largestBlobBytes || rawBytes > largestBlobBytes) {
      throw new RangeError('a blob has an impossible length')
    }
    blobBytes += storedBytes
  }
  return { keys, entries, blobBytes }
}

export function* entriesOf({ entries }: Pick<PackDirectory, 'entries'>): Iterable<DirectoryEntry> {
  let offset = 0
  for (let position = 0; position < entries.length; position += directoryEntryBytes) {
    const storedBytes = entries.readUInt32LE(position + chunkIdBytes + 1)
    yield {
      id: entries.subarray(position, position + chunkIdBytes),
      key: entries.readUInt8(position + chunkIdBytes),
      offset,
      storedBytes,
      rawBytes: entries.readUInt32LE(position + chunkIdBytes + 5),
    }
    offset += storedBytes
  }
}
