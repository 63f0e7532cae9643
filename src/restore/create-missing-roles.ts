import type { Connection } from '../postgres/wire/connection.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import {
  type ServerGlobals,
  type ServerRole,
  createRoleStatements,
  membershipStatements,
} from '../postgres/catalog/server-globals.ts'
import { existingRoles } from './target-checks.ts'

interface CreateOptions {
  readonly onNote: (note: string) => void
  readonly signal?: AbortSignal | undefined
}

/** Creates those of the roles that the server lacks, with their memberships among each other; all of them or none. */
export async function createMissingRoles(
  connection: Connection,
  globals: ServerGlobals,
  wanted: ReadonlySet<string>,
  options: CreateOptions,
): Promise<void> {
  const existing = await existingRoles(connection, options)
  const missing = globals.roles.filter(({ name }) => wanted.has(name) && !existing.has(name))
  if (missing.length === 0) return
  const [[superuser] = ['off']] = await connection.query("SELECT pg_catalog.current_setting('is_superuser')", options)
  await connection.execute('BEGIN', options)
  for (const role of missing) {
    const statements = createRoleStatements(superuser === 'on' ? role : withoutPowers(role, options))
    for (const statement of statements) await connection.execute(statement, options)
  }
  const known = await existingRoles(connection, options)
  const usable = { ...globals, memberships: globals.memberships.filter(({ role }) => known.has(role)) }
  const members = new Set(missing.map(({ name }) => name))
  for (const statement of membershipStatements(usable, members, connection.serverVersionNumber)) {
    await connection.execute(statement, options)
  }
  const names = missing.map(({ name }) => quoteIdentifier(name)).join(', ')
  if (superuser !== 'on') {
    await connection.execute(`GRANT ${names} TO CURRENT_USER`, options)
    options.onNote(`${connection.target.user} was made a member of ${names}, to give them their objects`)
  }
  await connection.execute('COMMIT', options)
  const silent = globals.passwords ? [] : missing.filter(({ canLogin }) => canLogin)
  if (silent.length > 0) {
    const who = silent.map(({ name }) => name).join(', ')
    options.onNote(`${who} can not log in yet: whoever backed up might not read passwords, so they have none`)
  }
}

/** Without what only a superuser may give. */
function withoutPowers(role: ServerRole, { onNote }: CreateOptions): ServerRole {
  const powers = [role.superuser && 'SUPERUSER', role.replication && 'REPLICATION', role.bypassRls && 'BYPASSRLS']
  const lost = powers.filter((power) => power !== false)
  if (lost.length > 0) onNote(`${role.name} was created without ${lost.join(', ')}: only a superuser can give that`)
  return { ...role, superuser: false, replication: false, bypassRls: false }
}
