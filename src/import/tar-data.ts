import type { LargeObjectContents } from '../postgres/large-object-rows.ts'
import { type ReadData, checkComplete } from './archive-data.ts'
import { damagedDump } from './byte-reader.ts'
import type { TarMembers } from './tar-members.ts'

const largeObjectName = /^blob_(\d+)\.dat$/

/** The files of a tar archive behind its `toc.dat` (pg_backup_tar.c). */
export function tarData(members: TarMembers): ReadData {
  return async (entries, sink) => {
    const byFile = new Map(entries.filter(({ data }) => data).map((entry) => [entry.fileName, entry]))
    const seen = new Set<number>()
    let member = await members.next()
    while (member) {
      if (largeObjectName.test(member.name)) {
        await sink.largeObjects(largeObjects(members))
        member = members.current
        continue
      }
      const entry = byFile.get(member.name)
      if (entry) seen.add(entry.id)
      // the lists of large objects (blobs.toc) say nothing new, and restore.sql is for psql
      if (entry && entry.description !== 'BLOBS') await sink.rows(entry, members.bytes())
      else if (!entry && member.name.endsWith('.dat'))
        throw damagedDump(`${member.name} is not in its table of contents`)
      member = await members.next()
    }
    checkComplete(entries, seen)
  }
}

/** Those that follow each other; leaves the member behind them. */
async function* largeObjects(members: TarMembers): AsyncGenerator<LargeObjectContents> {
  for (let member = members.current; member;) {
    const oid = largeObjectName.exec(member.name)?.[1]
    if (oid === undefined) return
    yield { oid: Number(oid), bytes: members.bytes() }
    member = await members.next()
  }
}
