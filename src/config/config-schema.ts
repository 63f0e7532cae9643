import { z } from 'zod'
import { retentionTime, transferRate } from './value-types.ts'
import { alerts } from './config-alerts.ts'
import { hooks } from './config-hooks.ts'
import { serverFields } from './config-servers.ts'
import { service } from './config-service.ts'
import { objectives } from './config-objectives.ts'
import { refreshes } from './config-refreshes.ts'
import { schedules } from './config-schedules.ts'

const name = z.string().min(1)
/** Else it could not be given to a process, nor be told in a line. */
const printableName = name.regex(/^\P{Cc}*$/u, 'must hold no control characters')
const patterns = z.array(name)

const assertion = z.union([
  name.describe('A query that must return true'),
  z.strictObject({
    name: name.describe('What the report calls it'),
    sql: name.describe('A query that must return true'),
  }),
])

const rate = z.union([
  z.int().min(1000),
  z
    .string()
    .refine((text) => transferRate.safeParse(text).success, 'must be bytes per second, such as 10MB, and at least 1kB'),
])

const count = z.int().min(0)
/** Also what a policy of the command line is made of. */
export const retention = z.strictObject({
  keep_last: count.describe('The newest N').optional(),
  keep_within: z
    .string()
    .regex(retentionTime, 'must be a number of hours, days or weeks, such as 36h, 14d or 8w')
    .describe('All that are at most so much older than the newest: 36h, 14d, 8w')
    .optional(),
  keep_hourly: count.describe('The newest one each of the N newest hours that have any; UTC').optional(),
  keep_daily: count.describe('… of the N newest days').optional(),
  keep_weekly: count.describe('… of the N newest weeks, which begin on Monday').optional(),
  keep_monthly: count.describe('… of the N newest months').optional(),
  keep_yearly: count.describe('… of the N newest years').optional(),
  minimum: z.int().min(1).describe('Never fewer than this many of a database (default: 1)').optional(),
  shrink_percent: z
    .int()
    .min(1)
    .max(100)
    .describe('Nothing is forgotten when a backup has lost more of its rows or bytes than this (default: 50)')
    .optional(),
})

const place = printableName.describe(
  'A directory, relative to this file, or the URL of a store, such as s3://bucket/prefix?…',
)
const repository = z.union([
  place,
  z.strictObject({
    place,
    key_file: name.describe('An age identity that opens it, in place of the key_file for all').optional(),
    retention: retention.describe('Which backups "forget" keeps here, in place of the retention for all').optional(),
  }),
])

const database = z.strictObject({
  url: name.describe(
    'postgres://user@host:port/database, "host=… dbname=…", docker://CONTAINER/database or compose://PROJECT/SERVICE/database, without a password; ${NAME} is taken from the environment',
  ),
  tunnel: name
    .describe('ssh://user@bastion:port, from where host and port of the url are reached; keys as ssh finds them')
    .optional(),
  password_env: name.describe('The environment variable that holds the password').optional(),
  password_file: name.describe('A file whose first line is the password').optional(),
  schemas: patterns.describe("Only schemas that match one of these, in pg_dump's patterns").optional(),
  exclude_schemas: patterns.describe('No schemas that match one of these').optional(),
  tables: patterns.describe('Only tables that match one of these').optional(),
  exclude_tables: patterns.describe('No tables that match one of these').optional(),
  exclude_table_data: patterns.describe('The definition but not the rows of tables that match one of these').optional(),
  assertions: z.array(assertion).describe('Queries that must return true in every restored copy').optional(),
  retention: retention.describe('Which of its backups "forget" keeps, in place of the retention for all').optional(),
  hooks: hooks.describe('Its hooks; each that is named stands in place of the one for all').optional(),
  objectives: objectives.describe('What is demanded of its backups, each in place of the one for all').optional(),
})

const server = z.strictObject({
  ...serverFields,
  retention: retention.describe('Which backups of its databases "forget" keeps').optional(),
})

/** What may stand in pgrevive.yaml; also the source of its JSON Schema and its reference. */
export const configFileSchema = z.strictObject({
  repository: repository.describe('Where the backups are, if in one place').optional(),
  repositories: z
    .record(z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"'), repository)
    .describe('Where the backups are, if in several places, by the names that --repo takes; backup fills all of them')
    .optional(),
  key_file: name.describe('An age identity that opens the repository; relative to this file').optional(),
  jobs: z.int().min(1).max(64).describe('Connections at the same time (default: cores, at most 4)').optional(),
  pg_dump: name.describe('auto, bundled, or the path of a pg_dump (default: auto)').optional(),
  limit_upload: rate.describe('Bytes per second to stores, on average: 10MB').optional(),
  limit_download: rate.describe('… from stores').optional(),
  log: name
    .describe('A directory for what each run said and did, or none (default: ~/.local/state/pgrevive/runs)')
    .optional(),
  retention: retention.describe('Which backups "forget" keeps of each database').optional(),
  hooks: hooks.describe('What is run around backups and restores; docs/how-to/hooks.md').optional(),
  databases: z
    .record(printableName, database)
    .describe('The databases to back up, by the names that commands use')
    .optional(),
  servers: z
    .record(z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"'), server)
    .describe('Servers whose databases are all backed up, also new ones, each as SERVER/DATABASE; docs/how-to/serve.md')
    .optional(),
  objectives: objectives.describe('What is demanded of the backups of each database').optional(),
  schedules: schedules.describe('What "serve" runs by itself, and when; docs/how-to/schedules.md').optional(),
  refreshes: refreshes
    .describe('Databases that are filled from a backup again and again, such as for staging')
    .optional(),
  service: service.describe('How "serve" runs; docs/how-to/serve.md').optional(),
  alerts: alerts.describe('Who is told when something is wrong; docs/how-to/alerts.md').optional(),
})

export type ConfigFile = z.output<typeof configFileSchema>
export type RepositoryEntry = z.output<typeof repository>
export type DatabaseEntry = z.output<typeof database>
export type ServerEntry = z.output<typeof server>
export type RetentionEntry = z.output<typeof retention>

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
