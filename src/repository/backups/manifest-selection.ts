import { everything, type Selection } from './manifest.ts'

/** The selection in pg_dump's own options. */
export function pgDumpArguments(selection: Selection): string[] {
  return [
    ...selection.schemas.map((pattern) => `--schema=${pattern}`),
    ...selection.excludeSchemas.map((pattern) => `--exclude-schema=${pattern}`),
    ...selection.tables.map((pattern) => `--table=${pattern}`),
    ...selection.excludeTables.map((pattern) => `--exclude-table=${pattern}`),
    '--no-blobs', // pgrevive does large objects itself, see large-objects.ts
  ]
}

/** Whether nothing is left out. */
export function isWhole(selection: Selection): boolean {
  return seriesOf(selection) === seriesOf(everything)
}

/** The same text for selections that take the same: backups of one database with it follow one another. */
export function seriesOf({ content, ...patterns }: Selection): string {
  return JSON.stringify([content, patternKinds.map((kind) => patterns[kind].toSorted())])
}

const patternKinds = ['schemas', 'excludeSchemas', 'tables', 'excludeTables', 'excludeTableData'] as const
