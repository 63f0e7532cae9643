import { z } from 'zod'
import { chunkIdBytes } from './chunk-id.ts'

/** A list blob holds at most this many chunk ids. */
export const listCapacity = 4096
/** Lists are cut where content says so, about every this many ids, so that an insertion does not change all that follow. */
const averageListLength = 2048

/** How to read a stream again: JSON, to be kept in a record or in another stream. */
export const streamRefSchema = z
  .object({
    bytes: z.int().min(0),
    chunks: z.int().min(0),
    /** Hex ids of list blobs, in order. */
    lists: z.array(z.string().regex(/^[0-9a-f]{32}$/)).readonly(),
  })
  .readonly()

export type StreamRef = z.infer<typeof streamRefSchema>

/** Whether a list ends after this chunk id. */
export function endsList(id: Buffer): boolean {
  return id.readUInt16LE(chunkIdBytes - 2) % averageListLength === 0
}

/** The chunk ids in a list blob. Throws RangeError if it is not one. */
export function idsOfList(list: Buffer): Buffer[] {
  const count = list.length / chunkIdBytes
  if (!Number.isInteger(count) || count === 0 || count > listCapacity)
    throw new RangeError('it is not a list of chunks')
  return Array.from({ length: count }, (_, index) => list.subarray(index * chunkIdBytes, (index + 1) * chunkIdBytes))
}
