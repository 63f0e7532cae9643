import type { PackKind } from '../objects/object-keys.ts'
import { parseDirectory, type PackDirectory } from './pack-directory.ts'

/** name[32] ‖ kind u8 ‖ pack length u32 ‖ directory length u32. */
const headBytes = 32 + 1 + 4 + 4
const kinds = ['data', 'meta'] as const satisfies readonly PackKind[]

/** A pack as an index object describes it. */
export interface IndexedPack {
  readonly name: string
  readonly kind: PackKind
  readonly sizeBytes: number
  /** Without padding. */
  readonly directory: Buffer
}

export function formatIndex(packs: readonly IndexedPack[]): Buffer {
  const count = Buffer.alloc(4)
  count.writeUInt32LE(packs.length)
  return Buffer.concat([count, ...packs.flatMap((pack) => [formatHead(pack), pack.directory])])
}

/** Throws RangeError for whatever is not an index. */
export function parseIndex(
  content: Buffer,
): { readonly name: string; readonly kind: PackKind; readonly sizeBytes: number; readonly directory: PackDirectory }[] {
  let position = 0
  const take = (length: number): Buffer => {
    if (length > content.length - position) throw new RangeError('the index ends too early')
    position += length
    return content.subarray(position - length, position)
  }
  const count = take(4).readUInt32LE()
  if (count > content.length / headBytes) throw new RangeError('the index names more packs than it can hold')
  const packs = Array.from({ length: count }, () => {
    const head = take(headBytes)
    const kind = kinds[head.readUInt8(32)]
    if (!kind) throw new RangeError('the index names an unknown kind of pack')
    return {
      name: head.toString('hex', 0, 32),
      kind,
      sizeBytes: head.readUInt32LE(33),
      directory: parseDirectory(take(head.readUInt32LE(37))),
    }
  })
  if (position !== content.length) throw new RangeError('the index goes on after its end')
  return packs
}

function formatHead(pack: IndexedPack): Buffer {
  const head = Buffer.alloc(headBytes)
  head.write(pack.name, 'hex')
  head.writeUInt8(kinds.indexOf(pack.kind), 32)
  head.writeUInt32LE(pack.sizeBytes, 33)
  head.writeUInt32LE(pack.directory.length, 37)
  return head
}
