import type { Transform } from 'node:stream'
import { constants, createDeflate, createGzip, createZstdCompress } from 'node:zlib'
import { type Pieces, writePiece } from './output.ts'

/** Without a level: the method's own default. */
export type Compression =
  { readonly method: 'none' } | { readonly method: 'gzip' | 'zstd'; readonly level?: number | undefined }

const chunkSize = 64 * 1024

/** A whole file, as gzip and zstd write it. */
export function compressFile(source: Pieces, compression: Compression): Pieces {
  switch (compression.method) {
    case 'none':
      return source
    case 'gzip':
      return through(source, createGzip({ level: compression.level ?? constants.Z_DEFAULT_COMPRESSION, chunkSize }))
    case 'zstd': {
      const level = compression.level ?? constants.ZSTD_CLEVEL_DEFAULT
      return through(source, createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level }, chunkSize }))
    }
  }
}

/** One zlib stream, as it lies in an archive of the custom format. */
export function deflate(source: Pieces, level: number): AsyncIterable<Uint8Array> {
  return through(source, createDeflate({ level, chunkSize }))
}

/** What a transform makes of it. A piece is done with when the next one is asked for. */
export async function* through(source: Pieces, transform: Transform): AsyncGenerator<Uint8Array> {
  const feed = async () => {
    for await (const piece of source) await writePiece(transform, piece)
    transform.end()
  }
  // it ends before the transform does, or ends it
  const fed = feed().catch((error: unknown) => {
    transform.destroy(error instanceof Error ? error : new Error(String(error)))
  })
  for await (const piece of transform) yield piece as Uint8Array
  await fed
}
