import { toolVersion } from '../core/tool-version.ts'
import { quoteLiteral } from '../postgres/sql/quote.ts'
import {
  type ServerGlobals,
  createRoleStatements,
  createTablespaceStatements,
  membershipStatements,
} from '../postgres/catalog/server-globals.ts'

/**
 * A script for psql that makes roles, with their memberships, and tablespaces. A role that is there stays as it is; a
 * tablespace that is there is an error, since nothing can ask before CREATE TABLESPACE.
 */
export function globalsSql(globals: ServerGlobals, serverVersionNumber: number): string {
  const roles = globals.roles.map((role) => {
    const create = createRoleStatements(role).map((statement) => `${statement};\n`)
    const missing = `NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(role.name)})`
    return `DO ${quoteLiteral(`BEGIN IF ${missing} THEN\n${create.join('')}END IF; END`)}`
  })
  const members = new Set(globals.roles.map(({ name }) => name))
  const statements = [
    'SET standard_conforming_strings = on',
    ...roles,
    ...membershipStatements(globals, members, serverVersionNumber),
    ...globals.tablespaces.flatMap((tablespace) => createTablespaceStatements(tablespace, tablespace.location)),
  ]
  const head = `--\n-- Roles${globals.passwords ? '' : ' (without passwords)'} and tablespaces, by ${toolVersion}\n--\n\n`
  return head + statements.map((statement) => `${statement};\n\n`).join('')
}
