import { type ArchiveFacts, type TocEntry, encodeInt, encodeToc } from './archive-toc.ts'
import { deflate } from './compression.ts'
import type { ExportData } from './export-data.ts'

/** What a block begins with. */
export const archiveBlocks = { rows: 1, largeObjects: 3 } as const
const endOfBlock = encodeInt(0)

/**
 * An archive of pg_dump's format "custom" (pg_backup_custom.c): the table of contents, then a block for each entry that
 * has data. Where a block begins is known only when it is written: `head` has the same length before and after.
 */
export class CustomArchive {
  readonly #entries: readonly TocEntry[]
  readonly #facts: ArchiveFacts
  readonly #data: ExportData
  readonly #offsets = new Map<number, number>()

  constructor(entries: readonly TocEntry[], facts: ArchiveFacts, data: ExportData) {
    this.#entries = entries
    this.#facts = facts
    this.#data = data
  }

  head(): Buffer {
    return encodeToc(this.#entries, this.#facts, 'custom', ({ id, data }, writer) =>
      writer.place(data ? (this.#offsets.get(id) ?? 'unknown') : 'none'),
    )
  }

  async *bytes(options: { readonly signal?: AbortSignal | undefined }): AsyncGenerator<Uint8Array> {
    const head = this.head()
    let offset = head.length
    yield head
    for (const entry of this.#entries) {
      if (!entry.data) continue
      this.#offsets.set(entry.id, offset)
      for await (const piece of this.#block(entry, options)) {
        offset += piece.length
        yield piece
      }
    }
  }

  async *#block(
    { id, data }: TocEntry,
    options: { readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<Uint8Array> {
    if (typeof data === 'object') {
      yield Buffer.concat([Buffer.from([archiveBlocks.rows]), encodeInt(id)])
      yield* this.#pieces(this.#data.rows(data.table, options))
      return
    }
    yield Buffer.concat([Buffer.from([archiveBlocks.largeObjects]), encodeInt(id)])
    for await (const { oid, bytes } of this.#data.largeObjects(options)) {
      yield encodeInt(oid | 0) // as pg_dump's C has it
      yield* this.#pieces(bytes)
    }
    yield endOfBlock
  }

  /** Each with its length in front, then one of no length. */
  async *#pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { compressionLevel } = this.#facts
    for await (const piece of compressionLevel === 0 ? source : deflate(source, compressionLevel)) {
      if (piece.length === 0) continue // it would be the end
      yield encodeInt(piece.length)
      yield piece
    }
    yield endOfBlock
  }
}
