import type { Connection } from '../../postgres/wire/connection.ts'
import type { RestorePlan } from '../../repository/backups/restore-plan.ts'
import { rolesOutOfReach } from '../target-checks.ts'
import { type PreflightFinding, bad, good } from './preflight-finding.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

export interface NeededRights {
  /** Whether a database is to be created or renamed. */
  readonly makesDatabase: boolean
  /** The name of the database. */
  readonly database: string
  /** Those who are given the database, or objects in it. */
  readonly owners: ReadonlySet<string>
  /** Roles that are to be created. */
  readonly createdRoles: ReadonlySet<string>
}

/** Whether the current role may do what the restore does. */
export async function checkRights(
  connection: Connection,
  needed: NeededRights,
  options: QueryOptions = {},
): Promise<PreflightFinding[]> {
  const [[user = '', superuser, createDatabase, createRole] = []] = await connection.query(
    `SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_catalog.pg_roles
     WHERE rolname OPERATOR(pg_catalog.=) current_user`,
    options,
  )
  if (superuser === 't') return [good('rights', `superuser ${user}`, 'may do everything')]
  const { makesDatabase, database, owners, createdRoles } = needed
  const problems: PreflightFinding[] = []
  const refuse = (meaning: string, hint: string) =>
    problems.push(bad('rights', String(user), 'permission-denied', meaning, hint))
  if (makesDatabase && createDatabase !== 't') {
    refuse(
      `can not create the database: ${user} has no right to create databases`,
      `have it granted (ALTER ROLE … CREATEDB); or have ${JSON.stringify(database)} created for you, empty, and run the same command again; or restore into a database that is there with --replace`,
    )
  }
  if (createdRoles.size > 0 && createRole !== 't') {
    refuse(
      `${user} has no right to create roles: ${[...createdRoles].join(', ')}`,
      'have it granted (ALTER ROLE … CREATEROLE), or restore with --no-owner --no-privileges, or --role-map old=new',
    )
  }
  const foreign = (await rolesOutOfReach(connection, owners, options)).filter((role) => !createdRoles.has(role))
  if (foreign.length > 0) {
    refuse(
      `${user} can not give objects to ${foreign.join(', ')}`,
      `restore with --no-owner --no-privileges, or as a superuser or a member of ${foreign.join(', ')}`,
    )
  }
  return problems.length > 0 ? problems : [good('rights', String(user), 'may make and give away what is restored')]
}

/** Those to whom something is given by a statement; a helper may fail. */
export function ownersGiven({ beforeData, afterData, eventTriggers, largeObjects, helpers, choices }: RestorePlan) {
  const given = [...beforeData, ...afterData, ...eventTriggers].filter(
    (entry) => !helpers.has(entry) && entry.sql.includes(' OWNER TO '),
  )
  const owners = new Set(given.flatMap(({ owner }) => owner ?? []))
  if (!choices.noOwner) for (const { owner } of largeObjects) owners.add(owner)
  owners.delete('pg_database_owner') // whoever owns the database is one
  return owners
}

/** Whether there is room for as many sessions as the restore opens. */
export async function checkConnections(
  connection: Connection,
  sessions: number,
  options: QueryOptions = {},
): Promise<PreflightFinding> {
  const [[most = '0', reserved = '0', used = '0'] = []] = await connection.query(
    `SELECT pg_catalog.current_setting('max_connections'),
       CASE WHEN pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' THEN '0' ELSE
         (SELECT pg_catalog.sum(setting::pg_catalog.int8)::pg_catalog.text FROM pg_catalog.pg_settings
          WHERE name IN ('superuser_reserved_connections', 'reserved_connections')) END,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
        WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') OPERATOR(pg_catalog.=) 'client backend')`,
    options,
  )
  const free = Number(most) - Number(reserved) - Number(used)
  if (free >= sessions) return good('connections', `${free} free`, `${sessions} are needed`)
  return bad(
    'connections',
    `${Math.max(free, 0)} free`,
    'connection-failed',
    `the server has room for ${Math.max(free, 0)} more connections, and the restore opens ${sessions} (max_connections is ${most})`,
    `${free > 0 ? `add --jobs ${free}, or ` : ''}end sessions that are idle, or raise max_connections`,
  )
}
