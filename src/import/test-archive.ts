import { ArchiveWriter } from '../export/archive-toc.ts'
import type { ArchiveEntry } from './archive-toc.ts'

export interface TestEntry extends Partial<Omit<ArchiveEntry, 'data'>> {
  readonly id: number
  readonly description: string
  /** The bytes of its block, but for the beginning; pieces for rows, objects by OID for BLOBS. */
  readonly rows?: string
  readonly largeObjects?: Readonly<Record<number, string>>
}

const sectionCodes = { none: 1, 'pre-data': 2, data: 3, 'post-data': 4 } as const

/** A custom archive as pg_dump of another time wrote it, field by field as in pg_backup_archiver.c of that time. */
export function encodeArchive(version: number, entries: readonly TestEntry[]): Buffer {
  const writer = new ArchiveWriter('utf8')
  writer.bytes(Buffer.from('PGDMP'))
  writer.bytes(Buffer.from([1, version, 0, 4, 8, 1]))
  if (version >= 15) writer.bytes(Buffer.from([0]))
  else writer.int(0)
  for (const part of [6, 5, 4, 3, 1, 126, -1]) writer.int(part)
  for (const text of ['old', '15.1', '15.1']) writer.text(text)
  writer.int(entries.length)
  for (const entry of entries) {
    const hasData = entry.rows !== undefined || entry.largeObjects !== undefined
    writer.int(entry.id)
    writer.int(hasData ? 1 : 0)
    writer.text('0')
    writer.text('0')
    writer.text(entry.tag ?? '')
    writer.text(entry.description)
    if (version >= 11) writer.int(sectionCodes[entry.section ?? 'pre-data'])
    writer.text(entry.definition ?? '')
    writer.text(entry.drop ?? '')
    writer.text(entry.copy ?? null)
    writer.text(entry.namespace ?? null)
    writer.text(null)
    if (version >= 14) writer.text(entry.accessMethod ?? null)
    if (version >= 16) writer.int(0)
    writer.text(entry.owner ?? '')
    writer.text('false')
    for (const id of entry.dependencies ?? []) writer.text(String(id))
    writer.text(null)
    writer.place(hasData ? 'unknown' : 'none')
  }
  for (const entry of entries) {
    if (entry.rows !== undefined) {
      writer.bytes(Buffer.from([1]))
      writer.int(entry.id)
      writeBlock(writer, entry.rows)
    } else if (entry.largeObjects) {
      writer.bytes(Buffer.from([3]))
      writer.int(entry.id)
      for (const [oid, bytes] of Object.entries(entry.largeObjects)) {
        writer.int(Number(oid) | 0)
        writeBlock(writer, bytes)
      }
      writer.int(0)
    }
  }
  return writer.finish()
}

function writeBlock(writer: ArchiveWriter, text: string): void {
  if (text !== '') writer.int(Buffer.byteLength(text))
  writer.bytes(Buffer.from(text))
  writer.int(0)
}
