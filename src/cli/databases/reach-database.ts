import { isContainerUrl, parseContainerUrl } from '../../containers/container-reference.ts'
import { type ConnectionTarget, resolveConnection } from '../../postgres/target/connection-target.ts'
import type { CommandContext } from '../command-context.ts'
import { printable } from '../terminal/printable.ts'
import type { DatabaseTarget } from './database-target.ts'

export interface ReachedDatabase {
  readonly target: ConnectionTarget
  /** In words, where there are several: `travelscout-db is reached by its address 172.18.0.2:5432`. */
  readonly way: string | undefined
}

/** What is open when it returns is so until the command ends. */
export async function findWay(
  { conninfo, environment }: Pick<DatabaseTarget, 'conninfo' | 'environment'>,
  context: CommandContext,
): Promise<ReachedDatabase> {
  const { homeDirectory, signal } = context
  if (conninfo === undefined || !isContainerUrl(conninfo)) {
    return { target: await resolveConnection(conninfo, { environment, homeDirectory }), way: undefined }
  }
  // others need not pay for it
  const { Engine } = await import('../../containers/engine.ts')
  const { reachContainer } = await import('../../containers/reach-container.ts')
  const reference = parseContainerUrl(conninfo)
  const engine = await Engine.open({ environment, homeDirectory, signal })
  const { container, target, way } = await reachContainer(engine, reference, { environment, homeDirectory })
  return { target, way: `${container.name} is reached ${way}` }
}

/** Where to connect for a database, having told by which way if there are several. */
export async function reachDatabase(
  database: Pick<DatabaseTarget, 'conninfo' | 'environment'>,
  context: CommandContext,
): Promise<ConnectionTarget> {
  const { target, way } = await findWay(database, context)
  const { json, quiet } = context.terminal
  if (way !== undefined && !json && !quiet) context.terminal.printError(`${printable(way)}\n`)
  return target
}
