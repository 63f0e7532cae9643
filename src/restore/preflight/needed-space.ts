import { type SchemaEntry, tableOf } from '../../postgres/pg-dump/schema-text.ts'
import type { Manifest, ManifestTable } from '../../repository/backups/manifest.ts'
import type { RestorePlan } from '../../repository/backups/restore-plan.ts'
import { keyOf } from '../../repository/backups/restore-scope.ts'
import { tablespaceOf } from './server-objects.ts'

/** Bytes on a disk. The backup knows what its rows take as text, and not what they take as rows. */
export interface NeededSpace {
  /** Less than this is too little, whatever the rows are. */
  readonly least: number
  readonly likely: number
}

/** The header of a row and its pointer in the page (HeapTupleHeaderData, ItemIdData). */
const rowOverhead = 28
/** An entry of a B-tree: header, pointer, an 8-byte key. */
const indexEntry = 20
/** Rows longer than this may have their longest values compressed (TOAST_TUPLE_THRESHOLD). */
const compressedFrom = 2000
/** The smallest share of its text that a row takes: a timestamp of 26 digits takes 8 bytes; pglz at its best. */
const leastShare = { plain: 0.3, compressed: 0.05 }

/** By tablespace; what has none of its own is in that of the database, which is undefined here. */
export function neededSpace(plan: RestorePlan, manifest: Manifest): Map<string | undefined, NeededSpace> {
  const places = new Map<string, string | undefined>()
  const indexes = new Map<string, number>()
  for (const entry of [...plan.beforeData, ...plan.afterData]) {
    const table = tableOfEntry(entry)
    if (table === undefined) continue
    if (entry.type === 'TABLE') places.set(table, tablespaceOf(entry))
    else indexes.set(table, (indexes.get(table) ?? 0) + 1)
  }
  const needed = new Map<string | undefined, NeededSpace>()
  const add = (tablespace: string | undefined, { least, likely }: NeededSpace) => {
    const known = needed.get(tablespace) ?? { least: 0, likely: 0 }
    needed.set(tablespace, { least: known.least + least, likely: known.likely + likely })
  }
  for (const table of plan.tables) {
    const key = keyOf(table)
    add(places.get(key), spaceOf(table, indexes.get(key) ?? 0))
  }
  const largeObjects = plan.largeObjects.length > 0 ? (manifest.largeObjects?.bytes ?? 0) : 0
  // as text, each byte is two digits
  add(undefined, { least: largeObjects * leastShare.compressed, likely: largeObjects / 2 })
  return needed
}

/** The key of the table that an entry makes, or makes an index of. */
function tableOfEntry(entry: SchemaEntry): string | undefined {
  if (!/^(TABLE|INDEX|CONSTRAINT)$/.test(entry.type)) return undefined
  const isIndexed = entry.type !== 'CONSTRAINT' || /\b(PRIMARY KEY|UNIQUE|EXCLUDE)\b/.test(entry.sql)
  const table = isIndexed ? tableOf(entry) : undefined
  return table && keyOf(table)
}

function spaceOf({ rows, bytes }: ManifestTable, indexes: number): NeededSpace {
  const mayCompress = rows > 0 && bytes / rows > compressedFrom
  const entries = rows * (rowOverhead + indexes * indexEntry)
  return { least: entries + bytes * leastShare[mayCompress ? 'compressed' : 'plain'], likely: entries + bytes }
}
