import { z } from 'zod'
import { type RestoreChoices, restoreEverything } from '../repository/backups/restore-plan.ts'
import type { SshPlace } from '../ssh/ssh-place.ts'
import { type PartResolver, type SecretSource, secretFile, secretVariable } from './config-secret.ts'

const name = z.string().min(1)

/** One of `refreshes:`. */
const refresh = z.strictObject({
  from: name.describe('The database whose newest backup is taken'),
  to: z.strictObject({
    url: name.describe('The database that it becomes, which is replaced; without a password, as in databases'),
    tunnel: name.describe('ssh://user@bastion:port, from where it is reached').optional(),
    password_env: secretVariable('the password'),
    password_file: secretFile('the password'),
  }),
  sql: z
    .array(name)
    .describe('Scripts that are run in it before it gets its name, in this order: [mask.sql]')
    .optional(),
  proven: z.boolean().describe('Only a backup that is proven (default: true)').optional(),
  keep: z
    .boolean()
    .describe('What is replaced stays under another name until the next time, for restore --undo (default: false)')
    .optional(),
  owner: z.boolean().describe('false: everything in it belongs to the role that refreshes (default: true)').optional(),
  privileges: z.boolean().describe('false: no GRANT and REVOKE of the backup (default: true)').optional(),
  tablespaces: z.boolean().describe('false: everything in the default tablespace (default: true)').optional(),
  role_map: z.record(name, name).describe('Other roles for those of the backup: {shop_owner: staging}').optional(),
  create_roles: z.boolean().describe('Create roles that do not exist on the server (default: false)').optional(),
})
export const refreshes = z.record(
  z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"'),
  refresh,
)

/** How a database is reached. */
export interface ReachedDatabase {
  /** May hold a password if `url` was one variable of the environment as a whole. */
  readonly conninfo: string
  /** The SSH server from which it is reached. */
  readonly tunnel: SshPlace | undefined
  readonly password: SecretSource | undefined
}

export interface ConfiguredRefresh {
  readonly name: string
  /** The name of a database whose backups there are. */
  readonly from: string
  readonly to: ReachedDatabase
  /** Absolute paths. */
  readonly sql: readonly string[]
  readonly proven: boolean
  readonly keep: boolean
  readonly choices: RestoreChoices
  readonly createRoles: boolean
}

export function resolveRefreshes(
  entries: z.output<typeof refreshes>,
  reach: (to: z.output<typeof refresh>['to'], path: readonly string[]) => ReachedDatabase,
  resolver: PartResolver,
): ReadonlyMap<string, ConfiguredRefresh> {
  return new Map(
    Object.entries(entries).map(([name, entry]) => {
      const { from, to, sql = [], proven = true, keep = false, create_roles: createRoles = false } = entry
      const path = ['refreshes', name]
      const scripts = sql.map((file, index) => resolver.path(file, [...path, 'sql', String(index)]))
      const reached = reach(to, [...path, 'to'])
      return [name, { name, from, to: reached, sql: scripts, proven, keep, choices: choicesOf(entry), createRoles }]
    }),
  )
}

function choicesOf(entry: z.output<typeof refresh>): RestoreChoices {
  const { owner = true, privileges = true, tablespaces = true, role_map: roles = {} } = entry
  const roleMap = new Map(Object.entries(roles))
  return { ...restoreEverything, noOwner: !owner, noPrivileges: !privileges, noTablespaces: !tablespaces, roleMap }
}
