import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { bareEnvironment } from '../../core/child-process.ts'
import { AppError } from '../../core/app-error.ts'
import type { Environment } from '../target/connection-target.ts'

/** The user that PostgreSQL's programs run as; `undefined` stands for pgrevive's own user. */
export type ServerAccount = { readonly uid: number; readonly gid: number } | undefined

/**
 * PostgreSQL refuses to run as root: root becomes `nobody`, since a restored database may run code and `postgres` often
 * owns a real cluster; `postgres` only where there is no `nobody`.
 */
export async function findServerAccount(): Promise<ServerAccount> {
  if (process.geteuid?.() !== 0) return undefined
  const account = (await lookUpAccount('nobody')) ?? (await lookUpAccount('postgres'))
  if (account) return account
  throw new AppError(
    'postgres-start-failed',
    'PostgreSQL does not run as root, and there is no user postgres or nobody',
    {
      hint: 'run pgrevive as an ordinary user, or name a server with --on URL',
    },
  )
}

/** Asks `id`, which knows users from LDAP and the like, too. */
async function lookUpAccount(user: string): Promise<ServerAccount> {
  const ask = async (flag: '-u' | '-g') =>
    Number((await promisify(execFile)('id', [flag, user], { env: bareEnvironment() })).stdout)
  try {
    return { uid: await ask('-u'), gid: await ask('-g') }
  } catch {
    return undefined
  }
}

const passedOn = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'TZ', 'TZDIR', 'LOCPATH', 'ICU_DATA']

/**
 * The environment for PostgreSQL's programs. It holds only what they need to run: a restored database may run code, and
 * pgrevive's own environment holds secrets; `PG…` and `LC_…` variables would change the server's defaults.
 */
export function serverEnvironment(environment: Environment): Record<string, string | undefined> {
  return Object.fromEntries(passedOn.map((name) => [name, environment[name]]))
}
