import type { KeyObject } from 'node:crypto'
import type { AbortOptions, ObjectStore } from '../../store/object-store.ts'
import { seal, sealBytes, unseal } from '../objects/aead.ts'
import { damagedObject } from '../objects/damaged-object.ts'
import { padDirectory, parseDirectory, type PackDirectory } from './pack-directory.ts'

const magic = Buffer.from('PGPK0001')
const footerBytes = 4 + magic.length
const label = Buffer.from('d1')
/** Most directories are shorter, so that one request gets them whole. */
const firstReadBytes = 64 * 1024

/** What follows the blobs of a pack: the sealed directory, its length, and the magic. */
export function formatTrailer(directory: Buffer, metadataKey: KeyObject): Buffer[] {
  const sealed = seal(metadataKey, label, [padDirectory(directory)])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(sealed.reduce((bytes, piece) => bytes + piece.length, 0))
  return [...sealed, length, magic]
}

/** The directory of a whole pack, or of its end: `packBytes` is how long the pack is. Throws for what is not a pack. */
export function parseTrailer(tail: Buffer, packBytes: number, metadataKey: KeyObject): PackDirectory {
  const start = tail.length - trailerBytes(tail, packBytes)
  const directory = parseDirectory(unseal(metadataKey, label, tail.subarray(start, tail.length - footerBytes)))
  if (directory.blobBytes !== packBytes - (tail.length - start)) {
    throw new RangeError('its blobs and its directory do not fill it')
  }
  return directory
}

/** Reads the directory from the end of the pack `key`. Rejects with `object-missing` or `object-damaged`. */
export async function readPackDirectory(
  store: ObjectStore,
  pack: { readonly key: string; readonly sizeBytes: number },
  metadataKey: KeyObject,
  options: AbortOptions = {},
): Promise<PackDirectory> {
  const readTail = (length: number) =>
    store.get(pack.key, { ...options, range: { offset: pack.sizeBytes - length, length } })
  const tail = await readTail(Math.min(pack.sizeBytes, firstReadBytes))
  let needed: number
  try {
    needed = trailerBytes(tail, pack.sizeBytes)
    if (needed <= tail.length) return parseTrailer(tail, pack.sizeBytes, metadataKey)
  } catch (error) {
    throw damagedObject(pack.key, error)
  }
  const trailer = await readTail(needed)
  try {
    return parseTrailer(trailer, pack.sizeBytes, metadataKey)
  } catch (error) {
    throw damagedObject(pack.key, error)
  }
}

/** From the beginning of the directory to the end of the pack. */
function trailerBytes(tail: Buffer, packBytes: number): number {
  if (tail.length < footerBytes || !tail.subarray(tail.length - magic.length).equals(magic)) {
    throw new RangeError('it does not end as a pack does')
  }
  const directoryBytes = tail.readUInt32LE(tail.length - footerBytes)
  if (directoryBytes < sealBytes || directoryBytes > packBytes - footerBytes) {
    throw new RangeError('its directory has an impossible length')
  }
  return directoryBytes + footerBytes
}
