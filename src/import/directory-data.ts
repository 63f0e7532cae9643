import { text } from 'node:stream/consumers'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { AppError } from '../core/app-error.ts'
import { through } from '../export/compression.ts'
import type { LargeObjectContents } from '../postgres/copy/large-object-rows.ts'
import { type DataSink, type ReadData, lz4Refused } from './archive-data.ts'
import type { ArchiveEntry } from './archive-toc.ts'
import { damagedDump } from './byte-reader.ts'
import type { FileSource } from './file-source.ts'

/** The files of a directory archive beside its `toc.dat` (pg_backup_directory.c). */
export function directoryData(source: FileSource): ReadData {
  return async (entries, sink) => {
    for (const entry of entries.filter(({ data }) => data)) await readEntry(source, entry, sink)
  }
}

async function readEntry(source: FileSource, entry: ArchiveEntry, sink: DataSink): Promise<void> {
  if (!/^[\w.-]+$/.test(entry.fileName)) throw damagedDump('its table of contents is damaged')
  const bytes = memberBytes(source, entry.fileName)
  if (entry.description !== 'BLOBS') return sink.rows(entry, bytes)
  await sink.largeObjects(largeObjects(source, await text(bytes)))
}

async function* largeObjects(source: FileSource, list: string): AsyncGenerator<LargeObjectContents> {
  for (const line of list.split('\n').filter((it) => it !== '')) {
    const [, oid, name] = /^(\d+) (blob_\d+\.dat)$/.exec(line) ?? []
    if (oid === undefined || name === undefined) throw damagedDump('its list of large objects is damaged')
    yield { oid: Number(oid), bytes: memberBytes(source, name) }
  }
}

/** What a file may be called: pg_dump adds an ending that says how it is compressed. */
const endings = ['', '.gz', '.zst', '.lz4'] as const

async function* memberBytes(source: FileSource, name: string): AsyncGenerator<Uint8Array> {
  const ending = findEnding(source, name)
  if (ending === '.lz4') throw lz4Refused()
  const bytes = source.bytes(name + ending)
  if (ending === '') return yield* bytes
  try {
    yield* through(bytes, ending === '.gz' ? createGunzip() : createZstdDecompress())
  } catch (error) {
    if (error instanceof AppError) throw error
    throw damagedDump(`${name}${ending} can not be unpacked: it was cut off or changed`, error)
  }
}

function findEnding({ names }: FileSource, name: string): (typeof endings)[number] {
  const ending = endings.find((one) => names.includes(name + one))
  if (ending === undefined) throw damagedDump(`${name} is missing`)
  return ending
}
