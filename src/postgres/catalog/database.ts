import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { queryJson } from './query.ts'
import { readSystemIdentifier } from './server-identity.ts'
import type { Connection } from '../wire/connection.ts'
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** One entry of an ACL. */
export const grantSchema = z.strictObject({
  grantor: z.string(),
  /** null means PUBLIC. */
  grantee: z.string().nullable(),
  privilege: z.string(),
  grantable: z.boolean(),
})
export type Grant = z.output<typeof grantSchema>

/** JSON array of the entries of an ACL; null where nobody changed the default. */
export const grantsOf = (acl: string) => `
  CASE WHEN ${acl} IS NOT NULL THEN (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'grantor', pg_catalog.pg_get_userbyid(x.grantor),
      'grantee', CASE WHEN x.grantee OPERATOR(pg_catalog.<>) 0 THEN pg_catalog.pg_get_userbyid(x.grantee) END,
      'privilege', x.privilege_type, 'grantable', x.is_grantable)), '[]')
    FROM pg_catalog.aclexplode(${acl}) x) END`

export const databasePropertiesSchema = z.strictObject({
  name: z.string(),
  owner: z.string(),
  encoding: z.string(),
  localeProvider: z.enum(['libc', 'icu', 'builtin']),
  collate: z.string(),
  ctype: z.string(),
  locale: z.string().nullable(),
  icuRules: z.string().nullable(),
  tablespace: z.string(),
  connectionLimit: z.int(),
  allowConnections: z.boolean(),
  isTemplate: z.boolean(),
  comment: z.string().nullable(),
  /** null: nobody ever changed the defaults. */
  grants: z.array(grantSchema).nullable(),
  /** Of the database, or of a role in it. */
  settings: z.array(z.strictObject({ role: z.string().nullable(), name: z.string(), value: z.string() })),
})
export type DatabaseProperties = z.output<typeof databasePropertiesSchema>

/** What CREATE DATABASE and ALTER DATABASE need to make the current database again. */
export async function readDatabaseProperties(connection: Connection, options: QueryOptions = {}) {
  const version = connection.serverVersionNumber
  const provider = version >= 150000 ? 'd.datlocprovider' : `'c'`
  const locale = version >= 170000 ? 'd.datlocale' : version >= 150000 ? 'd.daticulocale' : 'NULL'
  const icuRules = version >= 160000 ? 'd.daticurules' : 'NULL'
  const [database] = await queryJson(
    connection,
    databasePropertiesSchema,
    `SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       CASE ${provider} WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS "localeProvider",
       d.datcollate AS collate, d.datctype AS ctype, ${locale} AS locale, ${icuRules} AS "icuRules",
       t.spcname AS tablespace, d.datconnlimit AS "connectionLimit",
       d.datallowconn AS "allowConnections", d.datistemplate AS "isTemplate",
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment, ${grantsOf('d.datacl')} AS grants,
       (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
          'role', CASE WHEN s.setrole OPERATOR(pg_catalog.<>) 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END,
          'name', pg_catalog.split_part(c.setting, '=', 1),
          'value', pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') OPERATOR(pg_catalog.+) 1))
          ORDER BY s.setrole, c.n), '[]')
        FROM pg_catalog.pg_db_role_setting s
          CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(setting, n)
        WHERE s.setdatabase OPERATOR(pg_catalog.=) d.oid) AS settings
     FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid OPERATOR(pg_catalog.=) d.dattablespace
     WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()`,
    options,
  )
  if (!database) throw new AppError('query-failed', 'the current database is not in pg_database')
  return database
}

const extensionSchema = z.object({ name: z.string(), version: z.string(), schema: z.string() })

export function listExtensions(connection: Connection, options: QueryOptions = {}) {
  return queryJson(
    connection,
    extensionSchema,
    `SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema FROM pg_catalog.pg_extension e
       JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace ORDER BY 1`,
    options,
  )
}

/** A regular expression of PostgreSQL. Nobody but `reserveTemporaryDatabase` makes such names: they end in a ULID. */
export const temporaryDatabasePattern = '^pgrevive_(restore|proof|swap|refresh)_[0-9a-hjkmnp-tv-z]{26}$'

/** Those of who hosts the server (Amazon RDS, Google Cloud SQL, Azure): customers can not read them. */
const hostsDatabases = ['rdsadmin', 'cloudsqladmin', 'azure_maintenance', 'azure_sys']

/**
 * The databases that `--all` means: those that can be connected to and are neither templates nor temporary. `host`: not
 * its customer's to back up.
 */
export async function listDatabases(
  connection: Connection,
  options: QueryOptions = {},
): Promise<{ name: string; host: boolean }[]> {
  const rows = await connection.query(
    `SELECT datname, datname IN (${hostsDatabases.map((name) => quoteLiteral(name)).join(', ')})
         AND NOT pg_catalog.pg_has_role(datdba, 'MEMBER')
     FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate
       AND datname OPERATOR(pg_catalog.!~) ${quoteLiteral(temporaryDatabasePattern)} ORDER BY datname`,
    options,
  )
  return rows.map(([name, host]) => ({ name: name ?? '', host: host === 't' }))
}

const serverFactsSchema = z.object({
  version: z.string(),
  standby: z.boolean(),
  lsn: z.string(),
  at: z.string(),
  settings: z.record(z.string(), z.string()),
})

export type ServerFacts = z.output<typeof serverFactsSchema> & { readonly systemIdentifier: string | null }

const settingsThatMatter = [
  'server_encoding',
  'block_size',
  'data_checksums',
  'wal_level',
  'TimeZone',
  'lc_messages',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'default_toast_compression',
  'shared_preload_libraries',
  'max_locks_per_transaction',
]

/** Facts about the server; the LSN and the time are those of this transaction's snapshot when it begins with this. */
export async function readServerFacts(connection: Connection, options: QueryOptions = {}): Promise<ServerFacts> {
  const [facts] = await queryJson(
    connection,
    serverFactsSchema,
    `SELECT pg_catalog.current_setting('server_version') AS version,
       pg_catalog.pg_is_in_recovery() AS standby,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
         ELSE pg_catalog.pg_current_wal_lsn() END::pg_catalog.text AS lsn,
       pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
       (SELECT pg_catalog.json_object_agg(name, coalesce(pg_catalog.current_setting(name, true), ''))
        FROM pg_catalog.pg_settings WHERE name IN (${settingsThatMatter.map((name) => quoteLiteral(name)).join(', ')})) AS settings`,
    options,
  )
  if (!facts) throw new AppError('query-failed', 'the server told nothing about itself')
  return { ...facts, systemIdentifier: await readSystemIdentifier(connection, options) }
}

/** Settings whose value is a list of names; each is quoted by itself (GUC_LIST_QUOTE in PostgreSQL's guc_tables.c). */
const listSettings = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

/** `SET name TO value` for ALTER DATABASE and ALTER ROLE, from the text that pg_db_role_setting keeps. */
export function settingClause(name: string, value: string): string {
  const setting = name
    .split('.')
    .map((part) => quoteIdentifier(part))
    .join('.')
  if (!listSettings.has(name.toLowerCase())) return `SET ${setting} TO ${quoteLiteral(value)}`
  const items = [...value.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,"\s]+))\s*(?:,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  )
  return `SET ${setting} TO ${items.length === 0 ? "''" : items.map((item) => quoteLiteral(item)).join(', ')}`
}

/** REVOKE and GRANT statements that give `object` (such as `DATABASE "x"`) these privileges. */
export function grantStatements(object: string, owner: string, grants: readonly Grant[]): string[] {
  return [
    `REVOKE ALL ON ${object} FROM PUBLIC`,
    `REVOKE ALL ON ${object} FROM ${quoteIdentifier(owner)}`,
    ...grants.map(
      ({ privilege, grantee, grantable }) =>
        `GRANT ${privilege} ON ${object} TO ${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee)}` +
        (grantable ? ' WITH GRANT OPTION' : ''),
    ),
  ]
}
