import type { ExportItem } from './export-items.ts'

/** One entry of an archive's table of contents; see pg_dump's pg_backup_archiver.c, WriteToc. */
export interface TocEntry {
  readonly id: number
  /** pg_dump's word for the kind of object. */
  readonly description: string
  readonly tag: string
  readonly section: ExportItem['section']
  readonly definition: string
  /** The DROP statement; pg_restore takes an entry without one for something that has no owner. */
  readonly drop: string
  readonly copy: string | null
  readonly namespace: string | null
  /** null: it has none; '': the default. */
  readonly tablespace: string | null
  readonly accessMethod: string | null
  readonly owner: string
  readonly dependencies: readonly number[]
  readonly data: ExportItem['data']
}

export interface ArchiveFacts {
  readonly database: string
  readonly createdAt: Date
  readonly serverVersion: string
  /** As of the pg_dump that printed the definitions. */
  readonly dumpVersion: string
  /** Of the text: names, statements. */
  readonly encoding: 'utf8' | 'latin1'
  /** 0 means not compressed; else zlib's. */
  readonly compressionLevel: number
}

export const archiveFormats = { custom: 1, tar: 3 } as const
export const archiveSections = { none: 1, 'pre-data': 2, data: 3, 'post-data': 4 } as const
/** The OID of pg_largeobject. */
const largeObjectCatalog = '2613'
/** Where an entry's data are. */
const places = { unknown: 1, known: 2, none: 3 } as const

/**
 * The beginning of an archive of version 1.14, which pg_restore 12 and later read: head and table of contents. `placeOf`
 * gives what the format adds to an entry; it must always have the same length.
 */
export function encodeToc(
  entries: readonly TocEntry[],
  facts: ArchiveFacts,
  format: keyof typeof archiveFormats,
  placeOf: (entry: TocEntry, writer: ArchiveWriter) => void,
): Buffer {
  const writer = new ArchiveWriter(facts.encoding)
  writer.bytes(Buffer.from('PGDMP'))
  writer.bytes(Buffer.from([1, 14, 0, intBytes, offsetBytes, archiveFormats[format]]))
  writer.int(facts.compressionLevel)
  const { createdAt: at } = facts
  const month = [at.getDate(), at.getMonth(), at.getFullYear() - 1900]
  for (const part of [at.getSeconds(), at.getMinutes(), at.getHours(), ...month, -1]) writer.int(part)
  for (const text of [facts.database, facts.serverVersion, facts.dumpVersion]) writer.text(text)
  writer.int(entries.length)
  for (const entry of entries) {
    writer.int(entry.id)
    writer.int(entry.data ? 1 : 0)
    // the object's identity in its catalog, which pg_restore needs for large objects alone
    writer.text(entry.description === 'BLOB' ? largeObjectCatalog : '0')
    writer.text(entry.description === 'BLOB' ? entry.tag : '0')
    writer.text(entry.tag)
    writer.text(entry.description)
    writer.int(archiveSections[entry.section])
    writer.text(entry.definition)
    writer.text(entry.drop)
    writer.text(entry.copy)
    writer.text(entry.namespace)
    writer.text(entry.tablespace)
    writer.text(entry.accessMethod)
    writer.text(entry.owner)
    writer.text('false')
    for (const id of entry.dependencies) writer.text(String(id))
    writer.text(null)
    placeOf(entry, writer)
  }
  return writer.finish()
}

const intBytes = 4
const offsetBytes = 8

export class ArchiveWriter {
  readonly #encoding: ArchiveFacts['encoding']
  readonly #pieces: Buffer[] = []

  constructor(encoding: ArchiveFacts['encoding']) {
    this.#encoding = encoding
  }

  bytes(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }

  int(value: number): void {
    this.#pieces.push(encodeInt(value))
  }

  text(text: string | null): void {
    if (text === null) return this.int(-1)
    const bytes = Buffer.from(text, this.#encoding)
    this.int(bytes.length)
    this.bytes(bytes)
  }

  place(offset: number | 'unknown' | 'none'): void {
    const place = Buffer.alloc(1 + offsetBytes)
    place[0] = typeof offset === 'number' ? places.known : places[offset]
    if (typeof offset === 'number') place.writeBigUInt64LE(BigInt(offset), 1)
    this.bytes(place)
  }

  finish(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

/** A sign and a magnitude. */
export function encodeInt(value: number): Buffer {
  const bytes = Buffer.alloc(1 + intBytes)
  bytes[0] = value < 0 ? 1 : 0
  bytes.writeUInt32LE(Math.abs(value), 1)
  return bytes
}
