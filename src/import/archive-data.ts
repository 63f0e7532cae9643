import { createInflate, createZstdDecompress } from 'node:zlib'
import { AppError } from '../core/app-error.ts'
import { through } from '../export/compression.ts'
import type { LargeObjectContents } from '../postgres/copy/large-object-rows.ts'
import type { ArchiveCompression, ArchiveEntry } from './archive-toc.ts'
import { damagedDump } from './byte-reader.ts'

/** Where the data of an archive go, in the order in which they lie there. */
export interface DataSink {
  readonly rows: (entry: ArchiveEntry, bytes: AsyncIterable<Uint8Array>) => Promise<void>
  readonly largeObjects: (objects: AsyncIterable<LargeObjectContents>) => Promise<void>
}

/** The data of an archive whose table of contents has been read. */
export type ReadData = (entries: readonly ArchiveEntry[], sink: DataSink) => Promise<void>

/** `compression`: as in a custom archive, where gzip means zlib's own stream. */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  compression: ArchiveCompression,
): AsyncGenerator<Uint8Array> {
  if (compression === 'none') return yield* source
  if (compression === 'lz4') throw lz4Refused()
  const transform = compression === 'gzip' ? createInflate() : createZstdDecompress()
  try {
    yield* through(source, transform)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw damagedDump('it can not be unpacked: it was cut off or changed', error)
  }
}

export function lz4Refused(): AppError {
  return new AppError('dump-unknown', 'its data are compressed with lz4, which is not understood', {
    hint: 'dump with another --compress, or make a plain dump of it with "pg_restore -f FILE.sql", and import that',
  })
}

/** Throws `dump-damaged` if the data of an entry are missing. */
export function checkComplete(entries: readonly ArchiveEntry[], seen: ReadonlySet<number>): void {
  const missing = entries.find(({ id, data }) => data && !seen.has(id))
  if (!missing) return
  throw damagedDump(`${missing.description} ${missing.tag} is missing: it was cut off`)
}
