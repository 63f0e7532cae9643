import { join } from 'node:path'
import { forEachParallel } from '../core/parallel.ts'
import { type ArchiveFacts, type TocEntry, encodeToc } from './archive-toc.ts'
import { type Compression, compressFile } from './compression.ts'
import type { ExportData } from './export-data.ts'
import { writeFile } from './output.ts'

interface WriteOptions {
  readonly jobs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * An archive of pg_dump's format "directory" (pg_backup_directory.c): a file for the rows of each table and for each
 * large object, `blobs.toc`, which names these, and `toc.dat`, whose head says "tar" for the same reason as pg_dump's.
 */
export async function writeDirectoryArchive(
  directory: string,
  entries: readonly TocEntry[],
  facts: ArchiveFacts,
  data: ExportData,
  options: WriteOptions,
): Promise<void> {
  const compression: Compression =
    facts.compressionLevel === 0 ? { method: 'none' } : { method: 'gzip', level: facts.compressionLevel }
  const suffix = compression.method === 'none' ? '' : '.gz'
  const write = (name: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal) =>
    writeFile(join(directory, `${name}${suffix}`), compressFile(source, compression), { signal })
  await forEachParallel(
    entries.filter((entry) => entry.data !== undefined).toSorted((a, b) => bytesOf(b) - bytesOf(a)),
    options.jobs,
    async (entry, { signal }) => {
      if (typeof entry.data === 'object') return write(dataFile(entry), data.rows(entry.data.table, { signal }), signal)
      const lines: string[] = []
      for await (const { oid, bytes } of data.largeObjects({ signal })) {
        await write(`blob_${oid}.dat`, bytes, signal)
        lines.push(`${oid} blob_${oid}.dat\n`)
      }
      await writeFile(join(directory, dataFile(entry)), [Buffer.from(lines.join(''))], { signal })
    },
    options,
  )
  const toc = encodeToc(entries, facts, 'tar', (entry, writer) => writer.text(entry.data ? dataFile(entry) : ''))
  await writeFile(join(directory, 'toc.dat'), [toc], options)
}

/** Without the ending that says how it is compressed. */
function dataFile({ id, data }: TocEntry): string {
  return data === 'large objects' ? 'blobs.toc' : `${id}.dat`
}

function bytesOf({ data }: TocEntry): number {
  return typeof data === 'object' ? data.table.bytes : 0
}
