import { quoteIdentifier, quoteQualified, quoteRegclass } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { ManifestTable } from '../../repository/backups/manifest.ts'
import type { DatabaseObject } from './database-objects.ts'
import { defaultPrivilegeResets, publicSchemaResets } from './reset-privileges.ts'
import { quotedIdentity } from './others-objects.ts'
import type { Scene } from './scene.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Event triggers would fire for the rest; an extension goes before the schema that it is in. */
const firstTypes = ['event trigger', 'publication', 'extension', 'schema']

/** DROP's words for what pg_identify_object calls otherwise. */
const words: Readonly<Record<string, string>> = {
  function: 'routine',
  procedure: 'routine',
  aggregate: 'routine',
  'statistics object': 'statistics',
  'foreign-data wrapper': 'foreign data wrapper',
}

const perStatement = 200

/** Drops what a scene says, but for large objects, in the transaction that is open. */
export async function dropObjects(
  connection: Connection,
  { drops, stays }: Scene,
  options: QueryOptions = {},
): Promise<void> {
  const mappings = await ownUserMappings(connection, stays, options)
  const statements = [...dropStatements(drops), ...mappings]
  for (let first = 0; first < statements.length; first += perStatement) {
    await connection.execute(statements.slice(first, first + perStatement).join(';\n'), options)
  }
  const resets = [
    ...(await defaultPrivilegeResets(connection, options)),
    ...(await publicSchemaResets(connection, options)),
  ]
  if (resets.length > 0) await connection.execute(resets.join(';\n'), options)
}

/**
 * Empties the configuration tables of extensions that stay, as far as the backup brings rows for them. Throws
 * `permission-denied` where the role may not.
 */
export async function emptyConfigurationTables(
  connection: Connection,
  tables: readonly ManifestTable[],
  { stays }: Scene,
  options: QueryOptions = {},
): Promise<void> {
  const there = new Set(stays.filter(({ type }) => type === 'extension').map(({ identity }) => identity))
  for (const { schema, name, extension } of tables) {
    if (!extension || !there.has(quotedIdentity(extension.name))) continue
    const table = quoteQualified(schema, name, connection)
    const [[found] = [null]] = await connection.query(
      `SELECT pg_catalog.to_regclass(${quoteRegclass(schema, name, connection)})`,
      options,
    )
    if (found !== null) await connection.execute(`DELETE FROM ONLY ${table} ${extension.condition}`, options)
  }
}

/** What lies in a schema that goes, goes with it; what hangs on others may be gone when its turn comes. */
function dropStatements(drops: readonly DatabaseObject[]): string[] {
  const schemas = new Set(drops.filter(({ type }) => type === 'schema').map(({ schema }) => schema))
  const apart = drops.filter(({ type, schema }) => firstTypes.includes(type) || !schemas.has(schema))
  const rank = ({ type }: DatabaseObject) => (firstTypes.includes(type) ? firstTypes.indexOf(type) : firstTypes.length)
  return apart
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ type, identity }) => `DROP ${(words[type] ?? type).toUpperCase()} IF EXISTS ${identity} CASCADE`)
}

/** Those of the current role on servers of others: they have no owner, and are in the backup. */
async function ownUserMappings(
  connection: Connection,
  stays: readonly DatabaseObject[],
  options: QueryOptions,
): Promise<string[]> {
  if (!stays.some(({ type }) => type === 'server')) return []
  const rows = await connection.query(
    'SELECT srvname FROM pg_catalog.pg_user_mappings WHERE usename OPERATOR(pg_catalog.=) current_user',
    options,
  )
  return rows.map(
    ([server]) => `DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER ${quoteIdentifier(server ?? '', connection)}`,
  )
}

/** Each takes a lock until its transaction ends, so that there are many transactions where there are many. */
export async function dropLargeObjectsByOid(
  connection: Connection,
  oids: readonly string[],
  options: QueryOptions = {},
): Promise<void> {
  for (let first = 0; first < oids.length; first += largeObjectsAtOnce) {
    const batch = oids.slice(first, first + largeObjectsAtOnce)
    await connection.execute(
      `SELECT pg_catalog.count(pg_catalog.lo_unlink(oid)) FROM pg_catalog.unnest('{${batch.join()}}'::pg_catalog.oid[]) AS o(oid)`,
      options,
    )
  }
}

export const largeObjectsAtOnce = 500
