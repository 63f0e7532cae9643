import { isContainerUrl, parseContainerUrl } from '../../containers/container-reference.ts'
import {
  type ConnectionTarget,
  describeHost,
  resolveConnection,
  socketPath,
} from '../../postgres/target/connection-target.ts'
import type { SshPlace } from '../../ssh/ssh-place.ts'
import type { CommandContext } from '../command-context.ts'
import { printable } from '../../core/text/printable.ts'
import type { DatabaseTarget } from './database-target.ts'

export interface ReachedDatabase {
  readonly target: ConnectionTarget
  /** In words, where there are several: `travelscout-db is reached by its address 172.18.0.2:5432`. */
  readonly way: string | undefined
  /** From where programs of PostgreSQL reach it. */
  readonly administration:
    | { readonly kind: 'direct' }
    | { readonly kind: 'container'; readonly container: string; readonly superuser: string }
    | { readonly kind: 'tunnel'; readonly place: SshPlace }
}

/** What leads to a database. */
type Reachable = Pick<DatabaseTarget, 'conninfo' | 'environment'> & Partial<Pick<DatabaseTarget, 'tunnel'>>

/** What is open when it returns is so until the command ends. */
export async function findWay(
  { conninfo, environment, tunnel }: Reachable,
  context: CommandContext,
): Promise<ReachedDatabase> {
  const { homeDirectory, signal } = context
  if (conninfo === undefined || !isContainerUrl(conninfo)) {
    const target = await resolveConnection(conninfo, { environment, homeDirectory })
    return tunnel
      ? throughTunnel(target, tunnel, context)
      : { target, way: undefined, administration: { kind: 'direct' } }
  }
  // others need not pay for it
  const { Engine } = await import('../../containers/engine.ts')
  const { reachContainer } = await import('../../containers/reach-container.ts')
  const reference = parseContainerUrl(conninfo)
  const engine = context.resources.use(await Engine.open({ environment, homeDirectory, signal }))
  const { container, superuser, target, way } = await reachContainer(engine, reference, { environment, homeDirectory })
  const administration = { kind: 'container', container: container.name, superuser } as const
  return { target, way: `${container.name} is reached ${way}`, administration }
}

/** Where to connect for a database, having told by which way if there are several. */
export async function reachDatabase(database: Reachable, context: CommandContext): Promise<ConnectionTarget> {
  const { target, way } = await findWay(database, context)
  const { json, quiet } = context.terminal
  if (way !== undefined && !json && !quiet) context.terminal.printError(`${printable(way)}\n`)
  return target
}

/** Hosts are those that the SSH server sees. */
async function throughTunnel(
  target: ConnectionTarget,
  place: SshPlace,
  context: CommandContext,
): Promise<ReachedDatabase> {
  const { SshTunnel } = await import('../../ssh/ssh-tunnel.ts')
  const tunnel = context.resources.use(await SshTunnel.open(place, context, context.signal))
  const hosts = target.hosts.map(({ host, port, address }) => ({
    host,
    port,
    connect: (signal: AbortSignal | undefined) =>
      host.startsWith('/') && address === undefined
        ? tunnel.connectToSocket(socketPath(host, port), signal)
        : tunnel.connect(address ?? host, port, signal),
  }))
  const way = `${hosts.map(describeHost).join(', ')} is reached through ${tunnel.name}`
  return {
    target: Object.freeze({ ...target, hosts: Object.freeze(hosts) }),
    way,
    administration: { kind: 'tunnel', place },
  }
}
