import { z } from 'zod'
import { databasePropertiesSchema } from '../../postgres/catalog/database.ts'
import { streamRefSchema } from '../chunks/stream-ref.ts'

const digestFields = {
  rows: z.int().nonnegative(),
  /** Of the COPY text. */
  bytes: z.int().nonnegative(),
  /** 16 hex digits: the sum modulo 2^64 of the xxh64 of every row's line. */
  hash: z.string().regex(/^[0-9a-f]{16}$/),
}

const qualifiedName = z.strictObject({ schema: z.string(), name: z.string() })
export type QualifiedName = z.output<typeof qualifiedName>

export const tableSchema = z.strictObject({
  schema: z.string(),
  name: z.string(),
  /** In the order of the COPY text; without generated columns. */
  columns: z.array(z.string()),
  ...digestFields,
  /** The COPY text, in this order. A large table has several parts. */
  parts: z.array(streamRefSchema),
  /** Rows must be loaded through this partitioned table, since their hash differs from server to server. */
  loadVia: qualifiedName.optional(),
  /** A configuration table of an extension, of which only the rows that match `condition` are kept. */
  extension: z
    .strictObject({
      name: z.string(),
      condition: z.string(),
      /** To make the table again where CREATE EXTENSION does not. */
      columns: z.array(
        z.strictObject({ name: z.string(), type: z.string(), notNull: z.boolean(), default: z.string().nullable() }),
      ),
    })
    .optional(),
})
export type ManifestTable = z.output<typeof tableSchema>

export const selectionSchema = z.strictObject({
  schemas: z.array(z.string()),
  excludeSchemas: z.array(z.string()),
  tables: z.array(z.string()),
  excludeTables: z.array(z.string()),
  excludeTableData: z.array(z.string()),
  content: z.enum(['all', 'schema-only', 'data-only']),
})
export type Selection = z.output<typeof selectionSchema>

export const everything: Selection = {
  schemas: [],
  excludeSchemas: [],
  tables: [],
  excludeTables: [],
  excludeTableData: [],
  content: 'all',
}

/** What a backup holds, and what the database was at its snapshot. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  database: databasePropertiesSchema,
  server: z.strictObject({
    version: z.string(),
    versionNumber: z.int(),
    systemIdentifier: z.string().nullable(),
    standby: z.boolean(),
    /** Settings that decide how data is read or what a restore needs. */
    settings: z.record(z.string(), z.string()),
  }),
  snapshot: z.strictObject({ at: z.iso.datetime(), lsn: z.string(), name: z.string() }),
  selection: selectionSchema,
  pgDump: z.strictObject({
    kind: z.enum(['installed', 'bundled']),
    version: z.string(),
    /** What it warned of: objects that the role may not dump. */
    warnings: z.array(z.string()),
  }),
  /** What pg_dump printed; absent in a backup of data only. */
  schema: z.strictObject({ preData: streamRefSchema, postData: streamRefSchema, encoding: z.string() }).optional(),
  tables: z.array(tableSchema),
  /** Tables whose rows were left out on request, or on a standby because they are unlogged. */
  tablesWithoutData: z.array(qualifiedName),
  sequences: z.array(
    z.strictObject({ schema: z.string(), name: z.string(), lastValue: z.string(), isCalled: z.boolean() }),
  ),
  /** Unlogged ones, of which a standby does not know where they stand. */
  sequencesWithoutState: z.array(qualifiedName).optional(),
  /** Absent when none were asked for. */
  largeObjects: z
    .strictObject({
      count: z.int().nonnegative(),
      /** JSON of their owners, privileges and comments, see large-objects.ts. */
      properties: streamRefSchema,
      ...digestFields,
      /** COPY text of rows (oid, offset, data). */
      contents: streamRefSchema,
    })
    .optional(),
  materializedViews: z.array(z.strictObject({ schema: z.string(), name: z.string(), populated: z.boolean() })),
  extensions: z.array(z.strictObject({ name: z.string(), version: z.string(), schema: z.string() })),
  /** JSON of roles and tablespaces, see server-globals.ts; encrypted like data, since it may hold password hashes. */
  globals: streamRefSchema,
  roles: z.array(z.string()),
  rolePasswords: z.boolean(),
  tablespaces: z.array(z.string()),
  /** What is missing though nobody left it out, in words. */
  warnings: z.array(z.string()).optional(),
})
export type Manifest = z.output<typeof manifestSchema>
export type Sequence = Manifest['sequences'][number]
export type Extension = Manifest['extensions'][number]

/** All that a person should know of what is missing. */
export function warningsOf({ pgDump, warnings = [] }: Manifest): string[] {
  return [...pgDump.warnings.map((warning) => `pg_dump: ${warning}`), ...warnings]
}

export function formatHash(hash: bigint): string {
  return hash.toString(16).padStart(16, '0')
}
