import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** ALTER DEFAULT PRIVILEGES' words for defaclobjtype, and what PUBLIC has by itself (acldefault in acl.c). */
const objectTypes: Readonly<Record<string, { readonly words: string; readonly publicHas?: string }>> = {
  r: { words: 'TABLES' },
  S: { words: 'SEQUENCES' },
  f: { words: 'FUNCTIONS', publicHas: 'EXECUTE' },
  T: { words: 'TYPES', publicHas: 'USAGE' },
  n: { words: 'SCHEMAS' },
  L: { words: 'LARGE OBJECTS' },
}

/** Statements that take back the default privileges of the current role, and of those that it is a member of. */
export async function defaultPrivilegeResets(connection: Connection, options: QueryOptions = {}): Promise<string[]> {
  const rows = await connection.query(
    `SELECT DISTINCT pg_catalog.pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype,
       CASE WHEN a.grantee OPERATOR(pg_catalog.<>) 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END
     FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) d.defaclnamespace
       LEFT JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a ON true
     WHERE pg_catalog.pg_has_role(d.defaclrole, 'USAGE')`,
    options,
  )
  const quote = (name: string) => quoteIdentifier(name, connection)
  return rows.flatMap(([role, schema, type, grantee]) => {
    const { words, publicHas } = objectTypes[type ?? ''] ?? { words: 'TABLES' }
    const place = schema === null || schema === undefined ? '' : ` IN SCHEMA ${quote(schema)}`
    const prefix = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quote(role ?? '')}${place}`
    const revoke = `${prefix} REVOKE ALL ON ${words} FROM ${grantee === null || grantee === undefined ? 'PUBLIC' : quote(grantee)}`
    if (place !== '') return [revoke]
    // with what it has by itself, nothing is left to remember
    return [
      revoke,
      `${prefix} GRANT ALL ON ${words} TO ${quote(role ?? '')}`,
      ...(publicHas === undefined ? [] : [`${prefix} GRANT ${publicHas} ON ${words} TO PUBLIC`]),
    ]
  })
}

/** Statements that make the schema public as it is in a new database; none where it belongs to somebody else. */
export async function publicSchemaResets(connection: Connection, options: QueryOptions = {}): Promise<string[]> {
  const rows = await connection.query(
    `SELECT pg_catalog.pg_get_userbyid(n.nspowner),
       CASE WHEN a.grantee OPERATOR(pg_catalog.<>) 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END
     FROM pg_catalog.pg_namespace n
       CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
     WHERE n.nspname OPERATOR(pg_catalog.=) 'public' AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')
     GROUP BY 1, 2`,
    options,
  )
  const [[owner] = []] = rows
  if (owner === null || owner === undefined) return []
  const quote = (name: string) => quoteIdentifier(name, connection)
  const granted = connection.serverVersionNumber >= 150000 ? 'USAGE' : 'ALL'
  return [
    ...rows.map(
      ([, grantee]) =>
        `REVOKE ALL ON SCHEMA public FROM ${grantee === null || grantee === undefined ? 'PUBLIC' : quote(grantee)} CASCADE`,
    ),
    `GRANT ALL ON SCHEMA public TO ${quote(owner)}`,
    `GRANT ${granted} ON SCHEMA public TO PUBLIC`,
    `COMMENT ON SCHEMA public IS 'standard public schema'`,
  ]
}
