import { AppError } from '../core/app-error.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { describeTarget } from '../postgres/target/connection-target.ts'
import { findTakenOids } from '../postgres/catalog/large-objects.ts'
import { quoteQualified } from '../postgres/sql/quote.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

async function column(connection: Connection, sql: string, options: QueryOptions): Promise<Set<string>> {
  return new Set((await connection.query(sql, options)).map(([value]) => value ?? ''))
}

export function existingRoles(connection: Connection, options: QueryOptions = {}): Promise<Set<string>> {
  return column(connection, 'SELECT rolname FROM pg_catalog.pg_roles', options)
}

/** Those of the roles that the current user can not give an object to: it is neither a superuser nor a member of them. */
export async function rolesOutOfReach(
  connection: Connection,
  roles: ReadonlySet<string>,
  options: QueryOptions = {},
): Promise<string[]> {
  // being a member does not include SET ROLE from PostgreSQL 16 on
  const right = connection.serverVersionNumber >= 160000 ? 'SET' : 'MEMBER'
  const reachable = await column(
    connection,
    `SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, '${right}')`,
    options,
  )
  return [...roles].filter((role) => !reachable.has(role))
}

/**
 * Finds out before a row is loaded whether the tables are empty and the OIDs of the large objects free. Throws
 * `target-not-empty` with the SQL that makes them so.
 */
export async function checkRoomForData(
  connection: Connection,
  plan: RestorePlan,
  options: QueryOptions = {},
): Promise<void> {
  const filled: string[] = []
  for (const { schema, name, extension } of plan.tables) {
    const table = quoteQualified(schema, name, connection)
    const rows = await connection.query(`SELECT FROM ONLY ${table} ${extension?.condition ?? ''} LIMIT 1`, options)
    if (rows.length > 0) filled.push(table)
  }
  const taken = await findTakenOids(connection, plan.largeObjects, options)
  const found = [
    ...(filled.length > 0 ? [{ what: `rows in ${filled.join(', ')}`, goesWith: `TRUNCATE ${filled.join(', ')}` }] : []),
    ...(taken
      ? [
          {
            what: `${taken.count} of the ${plan.largeObjects.length} large objects`,
            goesWith: `${taken.unlink}, run until it returns no row`,
          },
        ]
      : []),
  ]
  if (found.length === 0) return
  const place = describeTarget(connection.target)
  throw new AppError('target-not-empty', `${place} holds ${found.map(({ what }) => what).join(' and ')} already`, {
    hint: `nothing was changed; --data-only loads into empty tables, and large objects under OIDs that are free; what a run that was stopped has left goes with ${found.map(({ goesWith }) => goesWith).join(', and ')}`,
  })
}

/** How many objects of a user's own the current database holds; those of extensions do not count. */
export async function countUserObjects(connection: Connection, options: QueryOptions = {}): Promise<number> {
  const own = (catalog: string, namespace: string) => `
    (SELECT pg_catalog.count(*) FROM pg_catalog.${catalog} o
     WHERE ${namespace} OPERATOR(pg_catalog.>=) 16384 OR ${namespace} IN (
       SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'public'))
    OPERATOR(pg_catalog.-)
    (SELECT pg_catalog.count(*) FROM pg_catalog.${catalog} o
       JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.${catalog}'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) o.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
     WHERE ${namespace} OPERATOR(pg_catalog.>=) 16384 OR ${namespace} IN (
       SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'public'))`
  const [[count] = ['0']] = await connection.query(
    `SELECT ${own('pg_class', 'o.relnamespace')}
       OPERATOR(pg_catalog.+) ${own('pg_proc', 'o.pronamespace')}
       OPERATOR(pg_catalog.+) ${own('pg_type', 'o.typnamespace')}
       OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace n
         WHERE n.oid OPERATOR(pg_catalog.>=) 16384 AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) n.oid
             AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
             AND d.deptype OPERATOR(pg_catalog.=) 'e'))
       OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM pg_catalog.pg_default_acl)
       OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata)`,
    options,
  )
  return Number(count)
}
