import { z } from 'zod'

const name = z.string().min(1)
const patterns = z.array(name)

const assertion = z.union([
  name.describe('A query that must return true'),
  z.strictObject({
    name: name.describe('What the report calls it'),
    sql: name.describe('A query that must return true'),
  }),
])

const database = z.strictObject({
  url: name.describe(
    'postgres://user@host:port/database or "host=… dbname=…", without a password; ${NAME} is taken from the environment',
  ),
  password_env: name.describe('The environment variable that holds the password').optional(),
  password_file: name.describe('A file whose first line is the password').optional(),
  schemas: patterns.describe("Only schemas that match one of these, in pg_dump's patterns").optional(),
  exclude_schemas: patterns.describe('No schemas that match one of these').optional(),
  tables: patterns.describe('Only tables that match one of these').optional(),
  exclude_tables: patterns.describe('No tables that match one of these').optional(),
  exclude_table_data: patterns.describe('The definition but not the rows of tables that match one of these').optional(),
  assertions: z.array(assertion).describe('Queries that must return true in every restored copy').optional(),
})

/** What may stand in pgrevive.yaml; also the source of its JSON Schema and its reference. */
export const configFileSchema = z.strictObject({
  repository: z
    .union([
      name.describe('The directory of the repository, or its s3://bucket/prefix?… URL'),
      z.strictObject({ path: name.describe('The directory of the repository') }),
    ])
    .describe('Where the backups are: a directory, relative to this file, or an s3://bucket/prefix?… URL')
    .optional(),
  key_file: name.describe('An age identity that opens the repository; relative to this file').optional(),
  jobs: z.int().min(1).max(64).describe('Connections at the same time (default: cores, at most 4)').optional(),
  pg_dump: name.describe('auto, bundled, or the path of a pg_dump (default: auto)').optional(),
  databases: z.record(name, database).describe('The databases to back up, by the names that commands use').optional(),
})

export type ConfigFile = z.output<typeof configFileSchema>
export type DatabaseEntry = z.output<typeof database>

/** The keys that are known at a path of the file, for a suggestion. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let schemas: readonly unknown[] = [configFileSchema]
  for (const key of path) schemas = schemas.flatMap(alternatives).flatMap((schema) => childOf(schema, key))
  return schemas
    .flatMap(alternatives)
    .flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []))
}

function childOf(schema: unknown, key: PropertyKey): unknown[] {
  if (schema instanceof z.ZodObject) return [schema.shape[key.toString()]]
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  return schema instanceof z.ZodArray ? [schema.element] : []
}

function alternatives(schema: unknown): readonly unknown[] {
  if (schema instanceof z.ZodOptional) return alternatives(schema.unwrap())
  return schema instanceof z.ZodUnion ? schema.options.flatMap(alternatives) : [schema]
}
