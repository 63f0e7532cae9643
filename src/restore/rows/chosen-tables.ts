import { AppError } from '../../core/app-error.ts'
import { type SchemaEntry, tableOf } from '../../postgres/pg-dump/schema-text.ts'
import type { Manifest, ManifestTable, QualifiedName } from '../../repository/backups/manifest.ts'
import { chooseScope, keyOf, partitionsIn } from '../../repository/backups/restore-scope.ts'
import { type EntriesByTable, definitionOf } from './table-definition.ts'

/** A table of a backup with all its rows; of a partitioned one, those of its partitions. */
export interface ChosenTable extends QualifiedName {
  /** Without generated ones. */
  readonly columns: readonly string[]
  /** What holds its rows: itself, or partitions, with the same columns in an order of their own. */
  readonly sources: readonly ManifestTable[]
  readonly rows: number
  /** Of the COPY text. */
  readonly bytes: number
}

/**
 * The tables that pg_dump's patterns choose; partitions go with their table where that is chosen, too. Throws
 * `selection-empty`, and `usage-invalid` for one whose rows were left out of the backup.
 */
export function chooseTables(
  manifest: Manifest,
  entries: readonly SchemaEntry[],
  byTable: EntriesByTable,
  patterns: readonly string[],
): ChosenTable[] {
  const scope = chooseScope(manifest, entries, { tables: patterns, schemas: [] })
  const partitionsOf = partitionsIn(entries)
  const defined = entries.filter(({ type }) => type === 'TABLE').flatMap((entry) => tableOf(entry) ?? [])
  const all = new Map([...manifest.tables, ...manifest.tablesWithoutData, ...defined].map((it) => [keyOf(it), it]))
  const chosen = [...all.values()].filter((table) => scope.includesTable(table))
  const included = new Set(chosen.flatMap(partitionsOf).map(keyOf))
  const tops = chosen.filter((table) => !included.has(keyOf(table)))
  if (tops.length === 0) {
    throw new AppError('selection-empty', 'the --table patterns match views only', {
      hint: '"pgrevive show BACKUP --tables" lists the tables, whose rows are in the backup',
    })
  }
  return tops.map((table) => gather(table, [table, ...partitionsOf(table)], manifest, byTable))
}

/** Of a table whose rows were left out. */
export function withoutRows({ schema, name }: QualifiedName): AppError {
  return new AppError('usage-invalid', `this backup holds no rows of ${schema}.${name}`, {
    hint: 'they were left out when it was taken: choose another backup, or other tables',
  })
}

function gather(
  { schema, name }: QualifiedName,
  family: readonly QualifiedName[],
  manifest: Manifest,
  byTable: EntriesByTable,
): ChosenTable {
  const keys = new Set(family.map(keyOf))
  const lacking = manifest.tablesWithoutData.find((table) => keys.has(keyOf(table)))
  if (lacking) {
    throw withoutRows(lacking)
  }
  const sources = manifest.tables.filter((table) => keys.has(keyOf(table)))
  const defined = () => definitionOf({ schema, name }, byTable)?.columns.filter((column) => !column.isGenerated) ?? []
  return {
    schema,
    name,
    columns: sources[0]?.columns ?? defined().map((column) => column.name),
    sources,
    rows: sources.reduce((sum, { rows }) => sum + rows, 0),
    bytes: sources.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
