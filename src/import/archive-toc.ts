import { archiveFormats, archiveSections } from '../export/archive-toc.ts'
import { AppError } from '../core/app-error.ts'
import { type ByteReader, damagedDump } from './byte-reader.ts'

/** How the data of an archive are compressed, block by block or file by file. */
export type ArchiveCompression = 'none' | 'gzip' | 'lz4' | 'zstd'
/** As in pg_dump's common/compression.h. */
const compressions: readonly ArchiveCompression[] = ['none', 'gzip', 'lz4', 'zstd']

/** One entry of an archive's table of contents. All text is bytes, as latin1. */
export interface ArchiveEntry {
  readonly id: number
  /** pg_dump's word for the kind of object. */
  readonly description: string
  readonly tag: string
  readonly section: keyof typeof archiveSections
  readonly definition: string
  readonly drop: string
  /** Empty: the data are statements. */
  readonly copy: string
  readonly namespace: string
  readonly accessMethod: string
  readonly owner: string
  readonly dependencies: readonly number[]
  /** Whether there are data of it; in a directory or tar archive, in which file. */
  readonly data: boolean
  readonly fileName: string
}

export interface ArchiveToc {
  /** The second number of the archive's version: 14 for 1.14. */
  readonly version: number
  readonly compression: ArchiveCompression
  /** By the clock and in the time zone of the machine that dumped, taken for this one's. */
  readonly createdAt: Date | undefined
  readonly database: string
  readonly serverVersion: string
  readonly dumpVersion: string
  readonly entries: readonly ArchiveEntry[]
}

/** Those that pg_dump 8.4 to 18 write. */
const versions = { first: 10, last: 16 } as const

/** Reads head and table of contents of a custom archive, or of the `toc.dat` of another; see pg_backup_archiver.c. */
export async function readToc(reader: ByteReader): Promise<ArchiveToc> {
  const magic = await reader.read(8)
  const [major = 0, version = 0] = magic.subarray(5)
  if (magic.toString('latin1', 0, 5) !== 'PGDMP') throw damagedDump('its table of contents is none')
  if (major !== 1 || version < versions.first || version > versions.last) {
    throw new AppError('dump-unknown', `it is an archive of version ${major}.${version}`, {
      hint: `1.${versions.first} to 1.${versions.last} are understood; make a plain dump of it with its own pg_restore, and import that`,
    })
  }
  const [bytesOfInt, offsetBytes = 0, format = 0] = await reader.read(3)
  if (bytesOfInt !== intBytes) throw damagedDump('its integers are of a strange size')
  const fields = new ArchiveFields(reader)
  const isCustom = format === archiveFormats.custom
  const compression =
    version >= 15 ? compressions[(await reader.read(1))[0] ?? -1] : (await fields.int()) === 0 ? 'none' : 'gzip'
  if (compression === undefined) throw damagedDump('its compression is unknown')
  const createdAt = await readTime(fields)
  const [database, serverVersion, dumpVersion] = [await fields.text(), await fields.text(), await fields.text()]
  const count = await fields.int()
  const entries: ArchiveEntry[] = []
  while (entries.length < count) {
    entries.push(await readEntry(fields, version, async () => (isCustom ? fields.place(offsetBytes) : fields.text())))
  }
  return { version, compression, createdAt, database, serverVersion, dumpVersion, entries }
}

async function readTime(fields: ArchiveFields): Promise<Date | undefined> {
  const [seconds = 0, minutes = 0, hours = 0, day = 0, month = 0, year = 0] = await fields.ints(7)
  const time = new Date(year + 1900, month, day, hours, minutes, seconds)
  return year > 0 && !Number.isNaN(time.getTime()) ? time : undefined
}

/** `readPlace`: what the format adds. */
async function readEntry(
  fields: ArchiveFields,
  version: number,
  readPlace: () => Promise<string>,
): Promise<ArchiveEntry> {
  const id = await fields.int()
  const hasData = (await fields.int()) !== 0
  await fields.text() // the object's catalog
  await fields.text() // and its OID there
  const tag = await fields.text()
  const description = await fields.text()
  const section = version >= 11 ? sectionOf(await fields.int()) : sectionByDescription(description)
  const [definition, drop, copy] = [await fields.text(), await fields.text(), await fields.text()]
  const namespace = await fields.text()
  await fields.text() // tablespace
  const accessMethod = version >= 14 ? await fields.text() : ''
  if (version >= 16) await fields.int() // relkind
  const owner = await fields.text()
  await fields.text() // WITH OIDS
  const dependencies: number[] = []
  for (let id = await fields.textOrNull(); id !== null; id = await fields.textOrNull()) dependencies.push(Number(id))
  const fileName = await readPlace()
  const names = { id, description, tag, section, definition, drop, copy, namespace, accessMethod, owner }
  return { ...names, dependencies, data: hasData, fileName }
}

function sectionOf(code: number): ArchiveEntry['section'] {
  const names = ['none', 'pre-data', 'data', 'post-data'] as const
  const section = names.find((name) => archiveSections[name] === code)
  if (section === undefined) throw damagedDump('its table of contents is damaged')
  return section
}

/** As pg_restore guesses it of archives that do not say it. */
function sectionByDescription(description: string): ArchiveEntry['section'] {
  if (/^(COMMENT|ACL|ACL LANGUAGE)$/.test(description)) return 'none'
  if (/^(TABLE DATA|BLOBS|BLOB COMMENTS)$/.test(description)) return 'data'
  return /^((CHECK |FK )?CONSTRAINT|INDEX|RULE|TRIGGER)$/.test(description) ? 'post-data' : 'pre-data'
}

/** No name or statement of a table of contents comes near it. */
const longestText = 2 ** 28

/** On every machine that PostgreSQL runs on. */
const intBytes = 4

/** The primitives of pg_dump's archives. */
export class ArchiveFields {
  readonly #reader: ByteReader

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  /** A sign and a magnitude of 32 bits. */
  async int(): Promise<number> {
    const bytes = await this.#reader.read(1 + intBytes)
    const magnitude = bytes.readUInt32LE(1)
    return bytes[0] === 0 ? magnitude : -magnitude
  }

  async ints(count: number): Promise<number[]> {
    const ints: number[] = []
    while (ints.length < count) ints.push(await this.int())
    return ints
  }

  async textOrNull(): Promise<string | null> {
    const length = await this.int()
    if (length < 0) return null
    if (length > longestText) throw damagedDump('its table of contents is damaged')
    return (await this.#reader.read(length)).toString('latin1')
  }

  async text(): Promise<string> {
    return (await this.textOrNull()) ?? ''
  }

  /** Where the data lie, which is not needed: they are read in their order. */
  async place(offsetBytes: number): Promise<string> {
    await this.#reader.read(1 + offsetBytes)
    return ''
  }
}
