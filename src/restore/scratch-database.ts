import { randomBytes } from 'node:crypto'
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { Connection } from '../postgres/wire/connection.ts'
import { type ConnectionTarget, type Environment, withDatabase } from '../postgres/target/connection-target.ts'
import { quoteIdentifier, quoteLiteral } from '../postgres/sql/quote.ts'
import { explainFailureOn, startScratchServer } from '../postgres/server/scratch-server.ts'
import { findServerAccount } from '../postgres/server/server-account.ts'
import { chooseServerBinaries } from '../postgres/server/server-binaries.ts'
import { type ServerGlobals, createRoleStatements, membershipStatements } from '../postgres/catalog/server-globals.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'
import {
  dropAbandonedDatabases,
  dropTemporaryDatabase,
  reserveTemporaryDatabase,
} from '../postgres/server/temporary-database.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { createDatabase } from './create-database.ts'
import { connectForMaintenance } from './maintenance-connection.ts'
import { existingRoles } from './target-checks.ts'

export interface ScratchOptions {
  readonly environment: Environment
  readonly onNote: (note: string) => void
  readonly signal?: AbortSignal | undefined
}

/** An empty database to restore into, which is gone after disposal. */
export interface ScratchDatabase extends AsyncDisposable {
  readonly target: ConnectionTarget
  /**
   * The same database for a role that may read and write every row and nothing else. undefined where there is none: on
   * somebody's server, and before PostgreSQL 14.
   */
  readonly loader: ConnectionTarget | undefined
  /** To another database of the same server. */
  readonly maintenance: Connection
  readonly major: number
  readonly description: string
  /** A server of its own: it has all roles and tablespaces, and may be given the database's settings. */
  readonly ownServer: boolean
  /** The same failure, or a better word for it. */
  readonly explain: (error: unknown) => Promise<unknown>
}

/** What autovacuum does would be in vain: the server lives for one proof. */
const proofSettings = { autovacuum: 'off' }

/** On a throw-away server of the source's major version, or else the next above that is to be had. */
export async function openScratchServerDatabase(
  manifest: Manifest,
  globals: ServerGlobals,
  options: ScratchOptions,
): Promise<ScratchDatabase> {
  await using owned = new AsyncDisposableStack()
  const { signal, environment } = options
  const sourceMajor = Math.floor(manifest.server.versionNumber / 10000)
  const binaries = await chooseServerBinaries(sourceMajor, options)
  const server = owned.use(await startScratchServer({ binaries, settings: proofSettings, environment, signal }))
  const maintenance = owned.use(await Connection.connect(server.target, { signal }))
  await prepareForLoading(maintenance)
  await createGlobals(maintenance, globals, server.storageDirectory, options)
  await createUnlistedRoles(maintenance, [manifest.database.owner], options)
  // the server has these two already
  const name = ['postgres', 'template1'].includes(manifest.database.name) ? 'restored' : manifest.database.name
  await createDatabase(maintenance, name, manifest.database, {
    owner: manifest.database.owner,
    tablespaces: true,
    onUnknownLocale: noteUnknownLocale(options),
    signal,
  })
  if (binaries.major !== sourceMajor) {
    options.onNote(`restored into PostgreSQL ${binaries.version}; it was backed up from ${manifest.server.version}`)
  }
  const target = withDatabase(server.target, name)
  const loader = await createLoader(maintenance, target, signal)
  const held = owned.move()
  return {
    target,
    loader,
    maintenance,
    major: binaries.major,
    description: `PostgreSQL ${binaries.version}, a scratch server (${binaries.source})`,
    ownServer: true,
    explain: (error) => explainFailureOn(server, error, options),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** A temporary database on a server that somebody named. Its roles must be there; its tablespaces need not. */
export async function openScratchDatabaseOn(
  server: ConnectionTarget,
  manifest: Manifest,
  options: ScratchOptions,
): Promise<ScratchDatabase> {
  await using owned = new AsyncDisposableStack()
  const maintenance = owned.use(await connectForMaintenance(server, options))
  await dropAbandonedDatabases(maintenance, options)
  const name = await reserveTemporaryDatabase(maintenance, 'proof', options)
  await createDatabase(maintenance, name, manifest.database, {
    owner: undefined,
    tablespaces: false,
    onUnknownLocale: noteUnknownLocale(options),
    signal: options.signal,
  })
  owned.defer(async () => {
    await using connection = await connectForMaintenance(server, {})
    await dropTemporaryDatabase(connection, name, { force: true })
  })
  const version = maintenance.parameters.get('server_version') ?? ''
  const held = owned.move()
  return {
    target: withDatabase(server, name),
    loader: undefined,
    maintenance,
    major: Math.floor(maintenance.serverVersionNumber / 10000),
    description: `PostgreSQL ${version}, a database of ${maintenance.host.host}`,
    ownServer: false,
    explain: (error) => Promise.resolve(error),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function createLoader(
  maintenance: Connection,
  target: ConnectionTarget,
  signal: AbortSignal | undefined,
): Promise<ConnectionTarget | undefined> {
  if (maintenance.serverVersionNumber < 140000) return undefined
  const user = `pgrevive_loader_${ulid().toLowerCase()}`
  const password = randomBytes(18).toString('base64url')
  await maintenance.execute(
    `CREATE ROLE ${user} LOGIN BYPASSRLS PASSWORD '${password}'; GRANT pg_read_all_data, pg_write_all_data TO ${user}`,
    { signal },
  )
  return { ...target, user, password: () => password }
}

function noteUnknownLocale({ onNote }: ScratchOptions): (locale: string) => void {
  return (locale) =>
    onNote(`the scratch server does not know the locale ${locale}: C was used, so order by collation was not tested`)
}

/** All roles, without their passwords, and all tablespaces, in the scratch server's own directory. */
async function createGlobals(
  connection: Connection,
  globals: ServerGlobals,
  directory: string,
  options: ScratchOptions,
): Promise<void> {
  const existing = await existingRoles(connection, options)
  const missing = globals.roles.filter(({ name }) => !existing.has(name))
  for (const role of missing) {
    // a setting may name a library or a parameter that the scratch server does not have; no content depends on it
    for (const statement of createRoleStatements({ ...role, password: null, settings: [] })) {
      await connection.execute(statement, options)
    }
  }
  const members = new Set(missing.map(({ name }) => name))
  const known = await existingRoles(connection, options)
  const usable = { ...globals, memberships: globals.memberships.filter(({ role }) => known.has(role)) }
  for (const statement of membershipStatements(usable, members, connection.serverVersionNumber)) {
    await connection.execute(statement, options)
  }
  const account = await findServerAccount()
  for (const [index, tablespace] of globals.tablespaces.entries()) {
    const location = join(directory, `tablespace-${index}`)
    await mkdir(location, { mode: 0o700 })
    if (account) await chown(location, account.uid, account.gid)
    const name = quoteIdentifier(tablespace.name)
    await connection.execute(`CREATE TABLESPACE ${name} LOCATION ${quoteLiteral(location)}`, options)
  }
}

/** Of a scratch server. Objects and privileges may name roles that the server they come from no longer lists. */
export async function createUnlistedRoles(
  connection: Connection,
  names: Iterable<string>,
  options: ScratchOptions,
): Promise<void> {
  const existing = await existingRoles(connection, options)
  for (const name of names) {
    if (existing.has(name) || name.startsWith('pg_')) continue
    await connection.execute(`CREATE ROLE ${quoteIdentifier(name)}`, options)
    options.onNote(`the role ${name} is named by the backup, but was not on its server`)
  }
}
