import { quoteIdentifier } from '../postgres/sql/quote.ts'
import type { DataSink, ReadData } from './archive-data.ts'
import type { ArchiveEntry, ArchiveToc } from './archive-toc.ts'
import { ByteReader, damagedDump } from './byte-reader.ts'
import { copyRows } from './copy-rows.ts'
import type { ImportSession } from './import-session.ts'
import { runScript } from './run-script.ts'

/**
 * Brings an archive back as pg_restore does without options: what must be there before the rows, the rows in the order in
 * which they lie in the archive, the rest.
 */
export async function restoreArchive(toc: ArchiveToc, readData: ReadData, session: ImportSession): Promise<void> {
  const { entries } = toc
  const firstRows = entries.findIndex(({ data }) => data)
  const comesFirst = (entry: ArchiveEntry, index: number) =>
    firstRows === -1 || index < firstRows || (entry.section === 'data' && !entry.data)
  const statements = new EntryStatements(toc)
  for (const entry of entries.filter(comesFirst)) await session.run(statements.of(entry))
  await readData(entries, sinkOf(toc, session))
  const comesLast = (entry: ArchiveEntry, index: number) => !entry.data && !comesFirst(entry, index)
  for (const entry of entries.filter(comesLast)) await session.run(statements.of(entry))
}

function sinkOf({ version }: ArchiveToc, session: ImportSession): DataSink {
  return {
    rows: async (entry, bytes) => {
      await using reader = new ByteReader(bytes)
      if (entry.copy === '') await runScript(reader, session)
      else await session.copy(entry.copy, copyRows(reader))
      await reader.drain()
    },
    largeObjects: (objects) => session.fillLargeObjects(objects, { create: version < 12 }),
  }
}

/** One after the other, so that what an entry says does not depend on what was asked before but for its settings. */
class EntryStatements {
  readonly #byId: ReadonlyMap<number, ArchiveEntry>
  /** Archives before 1.14 and 2018 name objects without their schema. */
  readonly #hasSearchPath: boolean
  #accessMethod = ''

  constructor({ entries }: ArchiveToc) {
    this.#byId = new Map(entries.map((entry) => [entry.id, entry]))
    this.#hasSearchPath = entries.some(({ description }) => description === 'SEARCHPATH')
  }

  of(entry: ArchiveEntry): string {
    const { description, definition, namespace, accessMethod } = entry
    // statistics are made by whoever restores
    if (description === 'DATABASE' || description === 'STATISTICS DATA') return ownerStatement(entry)
    if (description === 'BLOB METADATA') {
      return oidsOf(entry)
        .map((oid) => `SELECT pg_catalog.lo_create('${oid}');\n${blobOwner(oid, entry)}`)
        .join('')
    }
    if (description === 'ACL' && entry.tag.startsWith('LARGE OBJECTS')) return this.#privilegesOfMany(entry)
    const path = this.#hasSearchPath || namespace === '' ? '' : `SET search_path = ${quote(namespace)}, pg_catalog;\n`
    return `${path}${this.#useAccessMethod(accessMethod)}${definition}\n${ownerStatement(entry)}`
  }

  #useAccessMethod(accessMethod: string): string {
    if (accessMethod === '' || accessMethod === this.#accessMethod) return ''
    this.#accessMethod = accessMethod
    return `SET default_table_access_method = ${quote(accessMethod)};\n`
  }

  /** They are written for one of the objects of a BLOB METADATA entry, and mean all. */
  #privilegesOfMany({ definition, dependencies }: ArchiveEntry): string {
    const objects = this.#byId.get(dependencies[0] ?? 0)
    if (objects?.description !== 'BLOB METADATA') throw damagedDump('privileges of large objects belong to none')
    return oidsOf(objects)
      .map((oid) => definition.replaceAll(/\bON LARGE OBJECT \d+/g, `ON LARGE OBJECT ${oid}`))
      .join('\n')
  }
}

const quote = (name: string) => quoteIdentifier(name, { encoding: 'latin1' })

function oidsOf({ definition }: ArchiveEntry): string[] {
  return definition.split('\n').filter((line) => /^\d+$/.test(line))
}

function blobOwner(oid: string, { owner }: ArchiveEntry): string {
  return owner === '' ? '' : `ALTER LARGE OBJECT ${oid} OWNER TO ${quote(owner)};\n`
}

/** Kinds of objects that have an owner of their own, as pg_restore's _getObjectDescription knows them. */
const owned = new Set([
  'AGGREGATE',
  'COLLATION',
  'CONVERSION',
  'DATABASE',
  'DOMAIN',
  'EVENT TRIGGER',
  'FOREIGN DATA WRAPPER',
  'FOREIGN TABLE',
  'FUNCTION',
  'MATERIALIZED VIEW',
  'OPERATOR',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'PROCEDURAL LANGUAGE',
  'PROCEDURE',
  'PUBLICATION',
  'SCHEMA',
  'SEQUENCE',
  'SERVER',
  'STATISTICS',
  'SUBSCRIPTION',
  'TABLE',
  'TEXT SEARCH CONFIGURATION',
  'TEXT SEARCH DICTIONARY',
  'TYPE',
  'VIEW',
])

function ownerStatement(entry: ArchiveEntry): string {
  const { description, drop, owner, tag } = entry
  if (owner === '' || drop === '') return ''
  if (description === 'BLOB') return blobOwner(tag, entry)
  if (!owned.has(description)) return ''
  if (description === 'SCHEMA' && tag === 'public') return `ALTER SCHEMA public OWNER TO ${quote(owner)};\n`
  const [, subject] = /^DROP ([^]*?)(?: CASCADE)?;?\s*$/.exec(drop) ?? []
  return subject === undefined ? '' : `ALTER ${subject} OWNER TO ${quote(owner)};\n`
}
