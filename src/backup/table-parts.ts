import type { Relation } from '../postgres/catalog/tables.ts'

/**
 * Blocks of one ctid range: 32 MiB of heap. Fixed, so that the same rows stand in the same part from backup to backup
 * and a growing table only adds parts.
 */
const blocksPerPart = 4096

/** A piece of a table that is read by one COPY. */
export interface TablePart {
  readonly relation: Relation
  /** Its place among the table's parts. */
  readonly position: number
  readonly condition: string | undefined
  /** Bytes on disk, for order and progress. */
  readonly weight: number
}

/**
 * Cuts heap tables into ctid ranges; the last is open at its end. PostgreSQL before 14 would scan the whole table for
 * each, and other access methods know no ctid order. Largest first, so that no large part is left for the end.
 */
export function planParts(
  relations: readonly Relation[],
  server: { versionNumber: number; blockSize: number },
): TablePart[] {
  const parts = relations.flatMap((relation): TablePart[] => {
    if (relation.extension) {
      return [{ relation, position: 0, condition: relation.extension.condition, weight: relation.totalBytes }]
    }
    const blocks = Math.ceil(relation.heapBytes / server.blockSize)
    const count = Math.ceil(blocks / blocksPerPart)
    if (count < 2 || server.versionNumber < 140000 || relation.accessMethod !== 'heap') {
      return [{ relation, position: 0, condition: undefined, weight: relation.totalBytes }]
    }
    return Array.from({ length: count }, (_, position) => {
      const from = `ctid OPERATOR(pg_catalog.>=) '(${position * blocksPerPart},0)'::pg_catalog.tid`
      const to = `ctid OPERATOR(pg_catalog.<) '(${(position + 1) * blocksPerPart},0)'::pg_catalog.tid`
      const condition = `WHERE ${from}${position === count - 1 ? '' : ` AND ${to}`}`
      return { relation, position, condition, weight: relation.totalBytes / count }
    })
  })
  return parts.toSorted((a, b) => b.weight - a.weight)
}
