import type { Connection } from '../wire/connection.ts'

/**
 * User mappings, as `user on server`, whose options (a password, mostly) the current role may not see. pg_dump prints
 * them without. The condition is that of the view pg_user_mappings.
 */
export async function listHiddenUserMappings(
  connection: Connection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<string[]> {
  const rows = await connection.query(
    `SELECT m.usename, m.srvname FROM pg_catalog.pg_user_mappings m
       JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) m.srvid
     WHERE m.umoptions IS NULL
       AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user)
       AND NOT CASE WHEN m.umuser OPERATOR(pg_catalog.=) 0 THEN pg_catalog.pg_has_role(s.srvowner, 'USAGE')
         ELSE m.usename OPERATOR(pg_catalog.=) current_user AND (
           pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR pg_catalog.has_server_privilege(s.oid, 'USAGE')) END
     ORDER BY 2, 1`,
    options,
  )
  return rows.map(([user, server]) => `${user} on ${server}`)
}
