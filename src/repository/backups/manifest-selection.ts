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

/** What a backup does not hold, in words; undefined when it holds everything. */
export function describeSelection(selection: Selection): string | undefined {
  const words: string[] = []
  if (selection.content === 'schema-only') words.push('all rows')
  if (selection.content === 'data-only') words.push('all definitions')
  if (selection.schemas.length > 0) words.push(`all but schemas ${selection.schemas.join(', ')}`)
  if (selection.tables.length > 0) words.push(`all but tables ${selection.tables.join(', ')}`)
  if (selection.excludeSchemas.length > 0) words.push(`schemas ${selection.excludeSchemas.join(', ')}`)
  if (selection.excludeTables.length > 0) words.push(`tables ${selection.excludeTables.join(', ')}`)
  if (selection.excludeTableData.length > 0) words.push(`rows of ${selection.excludeTableData.join(', ')}`)
  return words.length === 0 ? undefined : words.join('; ')
}
