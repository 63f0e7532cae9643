import { z } from 'zod'
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
}

export function resolveRefreshes(
  entries: z.output<typeof refreshes>,
  reach: (to: z.output<typeof refresh>['to'], path: readonly string[]) => ReachedDatabase,
  resolver: PartResolver,
): ReadonlyMap<string, ConfiguredRefresh> {
  return new Map(
    Object.entries(entries).map(([name, { from, to, sql = [], proven = true }]) => {
      const path = ['refreshes', name]
      const scripts = sql.map((file, index) => resolver.path(file, [...path, 'sql', String(index)]))
      return [name, { name, from, to: reach(to, [...path, 'to']), sql: scripts, proven }]
    }),
  )
}
