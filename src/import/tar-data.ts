import type { LargeObjectContents } from '../postgres/copy/large-object-rows.ts'
import { type ReadData, checkComplete } from './archive-data.ts'
import type { ArchiveEntry } from './archive-toc.ts'
import { damagedDump } from './byte-reader.ts'
import type { TarMembers } from './tar-members.ts'

const largeObjectName = /^blob_(\d+)\.dat$/
/** From PostgreSQL 16 on one for each BLOBS entry, with its id. */
const listName = /^blobs(?:_(\d+))?\.toc$/

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
      // what the lists of large objects say, is known, but that there are no more of them; restore.sql is for psql
      const list = listName.exec(member.name)
      if (list) for (const id of listed(entries, list[1])) seen.add(id)
      else if (entry) await sink.rows(entry, members.bytes())
      else if (member.name.endsWith('.dat')) throw damagedDump(`${member.name} is not in its table of contents`)
      member = await members.next()
    }
    checkComplete(entries, seen)
  }
}

function listed(entries: readonly ArchiveEntry[], id: string | undefined): number[] {
  const groups = entries.filter(({ description }) => description === 'BLOBS').map((entry) => entry.id)
  return id === undefined ? groups : groups.filter((it) => it === Number(id))
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
