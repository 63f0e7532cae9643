import { z } from 'zod'
import { isContainerUrl, withContainerDatabase } from '../containers/container-reference.ts'
import { matchesGlob } from '../core/text/glob.ts'
import { formatConninfo, parseConninfo } from '../postgres/target/conninfo.ts'
import type { ConfiguredDatabase } from './config.ts'
import { secretFile, secretVariable } from './config-secret.ts'
import { hooks } from './config-hooks.ts'
import { objectives } from './config-objectives.ts'

const name = z.string().min(1)

/** One of `servers:`, but for its retention. */
export const serverFields = {
  url: name.describe('Any database of it, as in databases: postgres://backup@db.internal/postgres'),
  tunnel: name.describe('ssh://user@bastion:port, from where it is reached').optional(),
  password_env: secretVariable('the password'),
  password_file: secretFile('the password'),
  include: z.array(name).min(1).describe('Names or patterns of databases, with * and ? (default: all)').optional(),
  exclude: z.array(name).describe('… of those that are left out: [test_*]').optional(),
  hooks: hooks.describe('Of its databases; each that is named stands in place of the one for all').optional(),
  objectives: objectives.describe('What is demanded of the backups of its databases').optional(),
}

/** A server whose databases are backed up, whichever there are. */
export interface ConfiguredServer {
  readonly name: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** What all of its databases have in common; its conninfo names any of them. */
  readonly common: Omit<ConfiguredDatabase, 'name'>
}

/** Whether a database of the server is one that is to be backed up. */
export function includes({ include, exclude }: ConfiguredServer, database: string): boolean {
  const matches = (pattern: string) => matchesGlob(database, pattern)
  return include.some(matches) && !exclude.some(matches)
}

/** What commands, backups and schedules call a database of a server: `main/shop`. */
export function serverDatabaseName(server: ConfiguredServer, database: string): string {
  return `${server.name}/${database}`
}

/**
 * The databases that pgrevive.yaml names, in its order. By name those of its servers are found, too, `main/shop`, whether
 * they are there or not: only the server knows which there are.
 */
export class ConfiguredDatabases extends Map<string, ConfiguredDatabase> {
  readonly #servers: ReadonlyMap<string, ConfiguredServer>

  constructor(named: Iterable<readonly [string, ConfiguredDatabase]>, servers: ReadonlyMap<string, ConfiguredServer>) {
    super(named)
    this.#servers = servers
  }

  override get(name: string): ConfiguredDatabase | undefined {
    return super.get(name) ?? this.#onServer(name)
  }

  override has(name: string): boolean {
    return this.get(name) !== undefined
  }

  #onServer(name: string): ConfiguredDatabase | undefined {
    const server = this.#servers.get(name.split('/', 1)[0] ?? '')
    const database = name.slice((server?.name.length ?? 0) + 1)
    if (!server || database === '' || !includes(server, database)) return undefined
    return { ...server.common, name, conninfo: withDatabaseName(server.common.conninfo, database) }
  }
}

/** The same server, another database, whatever its name holds. Throws `connection-invalid`. */
function withDatabaseName(conninfo: string, database: string): string {
  if (isContainerUrl(conninfo)) return withContainerDatabase(conninfo, database)
  return formatConninfo(new Map(parseConninfo(conninfo)).set('dbname', database))
}
