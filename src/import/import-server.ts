import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { type ConnectionTarget, type Environment, withDatabase } from '../postgres/target/connection-target.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { type ScratchServer, startScratchServer } from '../postgres/server/scratch-server.ts'
import { chooseServerBinaries } from '../postgres/server/server-binaries.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'
import { createDatabase } from '../restore/create-database.ts'
import type { DumpDatabase } from './dump-database.ts'

/** A scratch server with an empty database of the kind that a dump wants. */
export interface ImportServer extends AsyncDisposable {
  readonly server: ScratchServer
  /** As the superuser. */
  readonly target: ConnectionTarget
}

/** It lives for one import, and starts nothing by itself that a dump may have asked for. */
function settingsFor(major: number): Record<string, string> {
  return {
    autovacuum: 'off',
    max_wal_size: '4GB',
    max_logical_replication_workers: '0',
    ...(major >= 17 ? { event_triggers: 'off' } : {}),
  }
}

/** Names that every server has taken; PostgreSQL's own databases can not be made anew while they are connected to. */
const taken = ['template0', 'template1']

/** Of the major version that the dump came from, or else of the next that is to be had; of the newest, if it does not say. */
export async function startImportServer(
  dump: { readonly database: DumpDatabase; readonly serverVersion: string },
  options: {
    readonly environment: Environment
    readonly onNote: (note: string) => void
    readonly signal?: AbortSignal | undefined
  },
): Promise<ImportServer> {
  await using owned = new AsyncDisposableStack()
  const { environment, signal } = options
  const binaries = await chooseServerBinaries(majorOf(dump.serverVersion), options)
  const server = owned.use(
    await startScratchServer({ binaries, settings: settingsFor(binaries.major), environment, signal }),
  )
  const wanted = dump.database.name ?? 'imported'
  const name = taken.includes(wanted) ? 'imported' : wanted
  await using maintenance = await Connection.connect(withDatabase(server.target, 'template1'), { signal })
  await prepareForLoading(maintenance)
  await maintenance.execute(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`, options)
  await createDatabase(maintenance, name, propertiesOf(dump.database), {
    owner: undefined,
    tablespaces: false,
    onUnknownLocale: () => undefined, // the backup names the right one all the same
    signal,
  })
  const held = owned.move()
  return {
    server,
    target: withDatabase(server.target, name),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

function majorOf(version: string): number | undefined {
  const [, major] = /^(\d+)/.exec(version) ?? []
  return major === undefined ? undefined : Number(major)
}

function propertiesOf({ name, ...kind }: DumpDatabase): DatabaseProperties {
  return {
    ...kind,
    name: name ?? '',
    owner: '',
    tablespace: 'pg_default',
    connectionLimit: -1,
    allowConnections: true,
    isTemplate: false,
    comment: null,
    grants: null,
    settings: [],
  }
}
