import type { Selection } from './manifest.ts'

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
