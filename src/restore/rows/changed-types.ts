import { quoteLiteral } from '../../postgres/sql/quote.ts'
import type { CommandOptions } from '../../postgres/wire/connection.ts'
import type { ChosenTable } from './chosen-tables.ts'
import type { LiveColumn } from './live-table.ts'
import type { RowsSession } from './rows-session.ts'
import { definitionOf } from './table-definition.ts'

/** A column that the live table declares with another type than the backup. */
export interface ChangedType {
  readonly column: LiveColumn
  /** As the backup's schema has it. */
  readonly before: string
  /**
   * `declaration`: a length, a scale or a domain, which the comparison does not heed; `wider`: every value of the one is one
   * of the other; `type`: values may become others.
   */
  readonly change: 'declaration' | 'wider' | 'type'
}

/** Types to those that take all their values, with the same text or the same number. */
const wider: Readonly<Record<string, readonly string[]>> = {
  smallint: ['integer', 'bigint', 'numeric'],
  integer: ['bigint', 'numeric'],
  bigint: ['numeric'],
  'character varying': ['text'],
  '"bit"': ['bit varying'],
  text: ['character varying'], // one that is too long is refused, not cut
}

/** Nothing is known, and none returned, of backups without a schema, and of tables that a composite type makes. */
export async function readChangedTypes(
  { connection, entries }: RowsSession,
  table: ChosenTable,
  common: readonly LiveColumn[],
  options: CommandOptions,
): Promise<ChangedType[]> {
  const declared = declaredTypes(table, entries)
  const differing = common.flatMap((column) => {
    const before = declared.get(column.name) ?? column.declaredType
    // dumps of old versions name types without their schema
    const isSame = before === column.declaredType || column.declaredType.endsWith(`.${before}`)
    return isSame ? [] : [{ column, before }]
  })
  if (differing.length === 0) return []
  const asked = differing.map(({ before }, n) => `(${n}, ${quoteLiteral(before, connection)})`)
  const found = await connection.query(
    `WITH RECURSIVE asked (n, written) AS (VALUES ${asked.join(', ')}), types (n, type, depth) AS (
       SELECT n, pg_catalog.to_regtype(written)::pg_catalog.oid, 0 FROM asked
       UNION ALL
       SELECT y.n, t.typbasetype, y.depth + 1 FROM types y JOIN pg_catalog.pg_type t ON t.oid = y.type WHERE t.typtype = 'd')
     SELECT DISTINCT ON (n) pg_catalog.format_type(type, -1) FROM types ORDER BY n, depth DESC`,
    options,
  )
  return differing.map(({ column, before }, n) => {
    const base = found[n]?.[0] ?? ''
    const isWider = wider[base]?.includes(column.type) ?? false
    return { column, before, change: base === column.type ? 'declaration' : isWider ? 'wider' : 'type' }
  })
}

function declaredTypes(table: ChosenTable, entries: RowsSession['entries']): ReadonlyMap<string, string> {
  const definition = definitionOf(table, entries)
  const columns = table.sources[0]?.extension?.columns ?? (definition?.ofType === '' ? definition.columns : [])
  return new Map(columns.map(({ name, type }) => [name, type]))
}
