import type { ReadData } from './archive-data.ts'
import { type ArchiveToc, readToc } from './archive-toc.ts'
import { ByteReader, damagedDump } from './byte-reader.ts'
import { customData } from './custom-data.ts'
import { directoryData } from './directory-data.ts'
import { type DumpDatabase, plainDatabase, readCreateDatabase, toText } from './dump-database.ts'
import type { FileSource } from './file-source.ts'
import type { ImportSession } from './import-session.ts'
import type { FileFormat, Wrapping } from './recognise.ts'
import { restoreArchive } from './restore-archive.ts'
import { restoreScript } from './run-script.ts'
import { tarData } from './tar-data.ts'
import { TarMembers } from './tar-members.ts'
import { type UnwrapOptions, unwrap } from './unwrap.ts'

/** A dump of which the beginning has been read. */
export interface Dump extends AsyncDisposable {
  readonly format: FileFormat | 'directory'
  /** From the outside in. */
  readonly wrappings: readonly Wrapping[]
  readonly database: DumpDatabase
  /** Whether it says which locale its database has. */
  readonly saysLocale: boolean
  /** Of an archive. */
  readonly createdAt: Date | undefined
  /** Of the server that was dumped, and of the pg_dump that did it; empty if it does not say it. */
  readonly serverVersion: string
  readonly dumpVersion: string
  /** Reads it to its end; once. Throws `dump-damaged` if that is not where it should be. */
  readonly restore: (session: ImportSession) => Promise<void>
}

/** Throws `dump-unknown`, `dump-damaged`, `dump-passphrase`. */
export async function openDump(source: FileSource, options: UnwrapOptions): Promise<Dump> {
  if (source.isDirectory) {
    await using reader = new ByteReader(source.bytes('toc.dat'))
    if ((await reader.peek(1)).length === 0) throw damagedDump('its toc.dat is empty')
    const toc = await readToc(reader)
    return archiveDump(
      { format: 'directory', wrappings: [], reader: new ByteReader(nothing()) },
      toc,
      directoryData(source),
    )
  }
  const unwrapped = await unwrap(source.bytes(), options)
  const { format, reader } = unwrapped
  if (format === 'plain') return scriptDump({ ...unwrapped, format })
  if (format === 'custom') {
    const toc = await readToc(reader)
    return archiveDump({ ...unwrapped, format }, toc, customData(reader, toc.compression))
  }
  const members = new TarMembers(reader)
  const first = await members.next()
  if (first?.name !== 'toc.dat')
    throw damagedDump('the tar archive does not begin with toc.dat: pg_dump -F tar did not write it')
  const toc = await readToc(new ByteReader(members.bytes()))
  return archiveDump({ ...unwrapped, format }, toc, tarData(members))
}

interface Opened<Format> {
  readonly format: Format
  readonly wrappings: readonly Wrapping[]
  readonly reader: ByteReader
}

function archiveDump({ format, wrappings, reader }: Opened<Dump['format']>, toc: ArchiveToc, readData: ReadData): Dump {
  const created = toc.entries.find(({ description }) => description === 'DATABASE')
  const database = created && readCreateDatabase(created.definition)
  const encoding = toc.entries.find(({ description }) => description === 'ENCODING')
  const [, name = plainDatabase.encoding] = /'(\w+)'/.exec(encoding?.definition ?? '') ?? []
  return {
    format,
    wrappings,
    database: { ...plainDatabase, encoding: name, ...database, name: database?.name ?? toText(toc.database) },
    saysLocale: database !== undefined,
    createdAt: toc.createdAt,
    serverVersion: toc.serverVersion,
    dumpVersion: toc.dumpVersion,
    restore: async (session) => {
      await restoreArchive(toc, readData, session)
      await reader.drain()
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  }
}

/** What a script says of itself stands at its beginning. */
const beginningBytes = 64 * 1024

async function scriptDump({ wrappings, reader }: Opened<'plain'>): Promise<Dump> {
  const beginning = (await reader.peek(beginningBytes)).toString('latin1')
  const [created] = /^CREATE DATABASE [^\n]*;\r?$/m.exec(beginning) ?? []
  const database = created === undefined ? undefined : readCreateDatabase(created)
  const [, encoding = plainDatabase.encoding] = /^SET client_encoding = '(\w+)';/m.exec(beginning) ?? []
  const fact = (pattern: RegExp) => pattern.exec(beginning)?.[1]?.trim() ?? ''
  return {
    format: 'plain',
    wrappings,
    database: database ?? { ...plainDatabase, encoding },
    saysLocale: database !== undefined,
    createdAt: undefined,
    serverVersion: fact(/^-- Dumped from database version (.*)$/m),
    dumpVersion: fact(/^-- Dumped by (?:pg_dump version )?(.*)$/m),
    restore: async (session) => {
      await restoreScript(reader, database?.name, session)
      await reader.drain()
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
