import { archiveBlocks } from '../export/custom-archive.ts'
import { type ReadData, checkComplete, decompressed } from './archive-data.ts'
import { type ArchiveCompression, ArchiveFields } from './archive-toc.ts'
import { type ByteReader, damagedDump } from './byte-reader.ts'

/** The blocks of a custom archive, from the end of its table of contents on (pg_backup_custom.c). */
export function customData(reader: ByteReader, compression: ArchiveCompression): ReadData {
  const fields = new ArchiveFields(reader)
  return async (entries, sink) => {
    const byId = new Map(entries.map((entry) => [entry.id, entry]))
    const seen = new Set<number>()
    for (let type = await reader.piece(1); type; type = await reader.piece(1)) {
      const entry = byId.get(await fields.int())
      if (!entry?.data || seen.has(entry.id))
        throw damagedDump('there are data that its table of contents does not name')
      seen.add(entry.id)
      if (type[0] === archiveBlocks.rows) await sink.rows(entry, block(reader, fields, compression))
      else if (type[0] === archiveBlocks.largeObjects)
        await sink.largeObjects(largeObjects(reader, fields, compression))
      else throw damagedDump('there are data of an unknown kind')
    }
    checkComplete(entries, seen)
  }
}

async function* largeObjects(reader: ByteReader, fields: ArchiveFields, compression: ArchiveCompression) {
  for (let oid = await fields.int(); oid !== 0; oid = await fields.int()) {
    yield { oid: oid >>> 0, bytes: block(reader, fields, compression) } // as pg_dump's C has it
  }
}

function block(reader: ByteReader, fields: ArchiveFields, compression: ArchiveCompression) {
  return decompressed(pieces(reader, fields), compression)
}

/** Each with its length in front, then one of no length. */
async function* pieces(reader: ByteReader, fields: ArchiveFields): AsyncGenerator<Uint8Array> {
  for (let length = await fields.int(); length !== 0; length = await fields.int()) {
    if (length < 0) throw damagedDump('there is a block of a length below zero')
    yield* reader.take(length)
  }
}
