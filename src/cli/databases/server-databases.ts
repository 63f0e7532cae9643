import { type ConfiguredServer, includes, serverDatabaseName } from '../../config/config-servers.ts'
import { listDatabases } from '../../postgres/catalog/database.ts'
import { setAsideNames } from '../../restore/in-place/set-aside.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import type { CommandContext } from '../command-context.ts'
import { configuredWay } from './database-target.ts'
import { reachDatabase } from './reach-database.ts'

/**
 * The databases of a server of pgrevive.yaml that are to be backed up, by the names that commands take (`main/shop`):
 * neither those of who hosts the server, nor what restores have made and set aside.
 */
export async function databasesOn(server: ConfiguredServer, context: CommandContext): Promise<string[]> {
  const way = await configuredWay(server.name, server.common, context.environment)
  await using connection = await connectForMaintenance(await reachDatabase(way, context), context)
  const found = await listDatabases(connection, context)
  const setAside = await setAsideNames(connection, context)
  return found
    .filter(({ name, host }) => !host && !setAside.has(name) && includes(server, name))
    .map(({ name }) => serverDatabaseName(server, name))
}
