import { z } from 'zod'
import { grantSchema, grantStatements, grantsOf, settingClause } from './database.ts'
import { queryJson } from './query.ts'
import type { Connection } from '../wire/connection.ts'
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

const settings = z.array(z.object({ name: z.string(), value: z.string() }))

const roleSchema = z.object({
  name: z.string(),
  superuser: z.boolean(),
  inherit: z.boolean(),
  createRole: z.boolean(),
  createDatabase: z.boolean(),
  canLogin: z.boolean(),
  replication: z.boolean(),
  bypassRls: z.boolean(),
  connectionLimit: z.number(),
  validUntil: z.string().nullable(),
  /** As in pg_authid: a SCRAM verifier or an md5 hash. null where there is none or it may not be read. */
  password: z.string().nullable(),
  comment: z.string().nullable(),
  settings,
})
export type ServerRole = z.output<typeof roleSchema>

const membershipSchema = z.object({
  role: z.string(),
  member: z.string(),
  grantor: z.string().nullable(),
  admin: z.boolean(),
  /** PostgreSQL 16 and later. */
  inherit: z.boolean().nullable(),
  set: z.boolean().nullable(),
})

const tablespaceSchema = z.object({
  name: z.string(),
  owner: z.string(),
  location: z.string(),
  options: z.array(z.string()),
  comment: z.string().nullable(),
  grants: z.array(grantSchema).nullable(),
})

/** What belongs to the server and not to one database. Predefined roles (pg_…) and tablespaces are left out. */
export const serverGlobalsSchema = z.object({
  /** false: the role that read them may not read pg_authid. */
  passwords: z.boolean(),
  roles: z.array(roleSchema),
  memberships: z.array(membershipSchema),
  tablespaces: z.array(tablespaceSchema),
})
export type ServerGlobals = z.output<typeof serverGlobalsSchema>

/** `passwords`: false for roles that only stand in for others. */
export async function readServerGlobals(
  connection: Connection,
  options: QueryOptions & { readonly passwords?: boolean | undefined } = {},
): Promise<ServerGlobals> {
  const [[mayReadPasswords] = ['f']] = await connection.query(
    "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')",
    options,
  )
  const passwords = mayReadPasswords === 't' && options.passwords !== false
  const roles = await queryJson(
    connection,
    roleSchema,
    `SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS "createRole",
       r.rolcreatedb AS "createDatabase", r.rolcanlogin AS "canLogin", r.rolreplication AS replication,
       r.rolbypassrls AS "bypassRls", r.rolconnlimit AS "connectionLimit", r.rolvaliduntil::text AS "validUntil",
       ${passwords ? 'r.rolpassword' : 'NULL'} AS password,
       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment,
       (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
          'name', pg_catalog.split_part(c.setting, '=', 1),
          'value', pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') OPERATOR(pg_catalog.+) 1)) ORDER BY c.n), '[]')
        FROM pg_catalog.pg_db_role_setting s
          CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(setting, n)
        WHERE s.setdatabase OPERATOR(pg_catalog.=) 0 AND s.setrole OPERATOR(pg_catalog.=) r.oid) AS settings
     FROM ${passwords ? 'pg_catalog.pg_authid' : 'pg_catalog.pg_roles'} r
     WHERE r.rolname OPERATOR(pg_catalog.!~) '^pg_' ORDER BY r.rolname`,
    options,
  )
  const has16 = connection.serverVersionNumber >= 160000
  const memberships = await queryJson(
    connection,
    membershipSchema,
    `SELECT r.rolname AS role, m.rolname AS member, g.rolname AS grantor, a.admin_option AS admin,
       ${has16 ? 'a.inherit_option' : 'NULL::boolean'} AS inherit, ${has16 ? 'a.set_option' : 'NULL::boolean'} AS set
     FROM pg_catalog.pg_auth_members a
       JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.roleid
       JOIN pg_catalog.pg_roles m ON m.oid OPERATOR(pg_catalog.=) a.member
       LEFT JOIN pg_catalog.pg_roles g ON g.oid OPERATOR(pg_catalog.=) a.grantor
     WHERE m.rolname OPERATOR(pg_catalog.!~) '^pg_' ORDER BY 1, 2, 3`,
    options,
  )
  const tablespaces = await queryJson(
    connection,
    tablespaceSchema,
    `SELECT t.spcname AS name, pg_catalog.pg_get_userbyid(t.spcowner) AS owner,
       pg_catalog.pg_tablespace_location(t.oid) AS location, coalesce(t.spcoptions, '{}') AS options,
       pg_catalog.shobj_description(t.oid, 'pg_tablespace') AS comment, ${grantsOf('t.spcacl')} AS grants
     FROM pg_catalog.pg_tablespace t WHERE t.spcname OPERATOR(pg_catalog.!~) '^pg_' ORDER BY 1`,
    options,
  )
  return { passwords, roles, memberships, tablespaces }
}

const flag = (on: boolean, name: string) => (on ? name : `NO${name}`)

/** Statements that create one role; memberships come later, when all roles exist. */
export function createRoleStatements(role: ServerRole): string[] {
  const name = quoteIdentifier(role.name)
  const attributes = [
    flag(role.superuser, 'SUPERUSER'),
    flag(role.inherit, 'INHERIT'),
    flag(role.createRole, 'CREATEROLE'),
    flag(role.createDatabase, 'CREATEDB'),
    flag(role.canLogin, 'LOGIN'),
    flag(role.replication, 'REPLICATION'),
    flag(role.bypassRls, 'BYPASSRLS'),
    ...(role.connectionLimit === -1 ? [] : [`CONNECTION LIMIT ${role.connectionLimit}`]),
    ...(role.password === null ? [] : [`PASSWORD ${quoteLiteral(role.password)}`]),
    ...(role.validUntil === null ? [] : [`VALID UNTIL ${quoteLiteral(role.validUntil)}`]),
  ]
  return [
    `CREATE ROLE ${name} WITH ${attributes.join(' ')}`,
    ...(role.comment === null ? [] : [`COMMENT ON ROLE ${name} IS ${quoteLiteral(role.comment)}`]),
    ...role.settings.map((setting) => `ALTER ROLE ${name} ${settingClause(setting.name, setting.value)}`),
  ]
}

/** GRANT statements for the memberships of `members`; the grantor becomes whoever runs them. */
export function membershipStatements(
  globals: ServerGlobals,
  members: ReadonlySet<string>,
  serverVersionNumber: number,
): string[] {
  return globals.memberships
    .filter(({ member }) => members.has(member))
    .map(({ role, member, admin, inherit, set }) => {
      const options = [`ADMIN ${admin ? 'TRUE' : 'FALSE'}`]
      if (inherit !== null) options.push(`INHERIT ${inherit ? 'TRUE' : 'FALSE'}`)
      if (set !== null) options.push(`SET ${set ? 'TRUE' : 'FALSE'}`)
      const clause = serverVersionNumber >= 160000 ? ` WITH ${options.join(', ')}` : admin ? ' WITH ADMIN OPTION' : ''
      return `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(member)}${clause}`
    })
}

/** Statements that create a tablespace in an empty directory of the server. */
export function createTablespaceStatements(
  tablespace: ServerGlobals['tablespaces'][number],
  location: string,
): string[] {
  const name = quoteIdentifier(tablespace.name)
  return [
    `CREATE TABLESPACE ${name} OWNER ${quoteIdentifier(tablespace.owner)} LOCATION ${quoteLiteral(location)}` +
      (tablespace.options.length === 0 ? '' : ` WITH (${tablespace.options.join(', ')})`),
    ...(tablespace.grants === null ? [] : grantStatements(`TABLESPACE ${name}`, tablespace.owner, tablespace.grants)),
  ]
}
