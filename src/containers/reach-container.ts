import { AppError } from '../core/app-error.ts'
import {
  type ConnectionTarget,
  type Environment,
  type Host,
  resolveConnection,
} from '../postgres/target/connection-target.ts'
import { formatConninfo } from '../postgres/target/conninfo.ts'
import { findWhyNoServer } from '../postgres/wire/open-socket.ts'
import type { Container } from './container.ts'
import { type ContainerReference, findContainer } from './container-reference.ts'
import type { Engine } from './engine.ts'
import { type Survey, surveyContainer } from './survey.ts'
import { type InnerPlace, tunnelCommand } from './tunnel-programs.ts'

export interface ReachedContainer {
  readonly container: Container
  /** Whom its image made. */
  readonly superuser: string
  readonly target: ConnectionTarget
  /** In words: `by the published port 127.0.0.1:5432`. */
  readonly way: string
  /** The server takes connections from elsewhere than its own machine, as far as it can be told. */
  readonly listens: boolean
}

/** One way to a server that may work. */
interface Way {
  readonly words: string
  readonly host: Host
}

const usualPort = 5432
/** The way is short, and there are others. */
const attemptMs = 5_000
const everyAddress = ['', '*', '0.0.0.0', '::']
/** They would name another server, or another user than the container's. */
const replacedVariables = ['PGHOST', 'PGHOSTADDR', 'PGPORT', 'PGUSER', 'PGDATABASE', 'PGSERVICE']

/**
 * The database that a reference means, as the container that it is in says: user, password and database from its
 * environment unless the reference, PGPASSWORD or a password file name others, and the first way on which a server
 * answers. Throws what the engine does, `container-stopped`, or `connection-failed` with all that was tried.
 */
export async function reachContainer(
  engine: Engine,
  reference: ContainerReference,
  surroundings: { readonly environment: Environment; readonly homeDirectory: string },
): Promise<ReachedContainer> {
  const container = await findContainer(engine, reference)
  if (!container.isRunning) throw notRunning(container)
  const survey = await surveyContainer(container)
  const target = await resolveTarget(container, survey, reference, surroundings)
  const ways = findWays(container, survey)
  const failures: string[] = []
  for (const { words, host } of ways) {
    const problem = await findWhyNoServer(target, host, attemptMs, engine.signal)
    if (!problem) {
      const listens = survey.server?.listen !== ''
      return {
        container,
        superuser: ownUserOf(container),
        target: Object.freeze({ ...target, hosts: [host] }),
        way: words,
        listens,
      }
    }
    failures.push(`${words}: ${problem.message}`)
  }
  throw new AppError('connection-failed', `no PostgreSQL answers in ${container.name}: ${failures.join('; ')}`, {
    hint: `look into its log ("docker logs ${container.name}"): it may still be starting, or be another service than PostgreSQL; PGPORT of the container, or 5432, is its port`,
  })
}

function notRunning({ name, inspection: { State } }: Container): AppError {
  return new AppError(
    'container-stopped',
    `the container ${name} does not run: ${State.Status}, exit code ${State.ExitCode}`,
    {
      hint: `"docker start ${name}", and "docker logs ${name}" for why it ended`,
    },
  )
}

/** Without the way: `hosts` is only what the container is called. */
async function resolveTarget(
  container: Container,
  survey: Survey,
  { user, password, database, settings }: ContainerReference,
  { environment, homeDirectory }: { readonly environment: Environment; readonly homeDirectory: string },
): Promise<ConnectionTarget> {
  const variables = container.environment
  const ownUser = ownUserOf(container)
  const ownPassword =
    variables.get('POSTGRES_PASSWORD') || survey.password || variables.get('POSTGRESQL_PASSWORD') || undefined
  const chosen = user ?? ownUser
  const conninfo = formatConninfo([
    ...settings,
    ['host', container.name],
    ['port', String(portOf(container, survey))],
    ['user', chosen],
    ['dbname', database ?? (variables.get('POSTGRES_DB') || variables.get('POSTGRESQL_DATABASE') || ownUser)],
    ...(password === undefined ? [] : [['password', password] as const]),
  ])
  const others = Object.entries(environment).filter(([name]) => !replacedVariables.includes(name))
  const resolved = await resolveConnection(conninfo, { environment: Object.fromEntries(others), homeDirectory })
  return {
    ...resolved,
    password: (host, name) => resolved.password(host, name) ?? (chosen === ownUser ? ownPassword : undefined),
  }
}

function ownUserOf({ environment }: Container): string {
  return environment.get('POSTGRES_USER') || environment.get('POSTGRESQL_USERNAME') || 'postgres'
}

function portOf(container: Container, { server }: Survey): number {
  return server?.port ?? (Number(container.environment.get('PGPORT')) || usualPort)
}

/** In the order in which to try them. */
export function findWays(container: Container, survey: Survey): readonly Way[] {
  const port = portOf(container, survey)
  return [
    ...publishedPorts(container, port),
    ...ownAddresses(container, survey, port),
    ...tunnels(container, survey, port),
  ]
}

/** The name of the container stands for passwords and certificates, whichever way leads to it. */
function at({ name }: Container, address: string, port: number): Host {
  return Object.freeze({ host: name, address, port })
}

function publishedPorts(container: Container, port: number): Way[] {
  const { host, isLocal } = container.engine
  const bindings = container.inspection.NetworkSettings.Ports?.[`${port}/tcp`] ?? []
  return bindings.flatMap(({ HostIp, HostPort }) => {
    const isEvery = everyAddress.includes(HostIp)
    // loopback of another machine
    if (!isEvery && !isLocal && /^(127\.|::1$)/.test(HostIp)) return []
    const address = isEvery ? host : HostIp
    return { words: `by its published port ${address}:${HostPort}`, host: at(container, address, Number(HostPort)) }
  })
}

function ownAddresses(container: Container, { server }: Survey, port: number): Way[] {
  const { host, isLocal } = container.engine
  if (container.inspection.HostConfig.NetworkMode === 'host') {
    // Without the server's own word the port may be that of another one.
    if (!server?.listen) return []
    const address = isLocal && !everyAddress.includes(server.listen) ? server.listen : host
    return [{ words: `by port ${port} of the host's network`, host: at(container, address, port) }]
  }
  if (!isLocal) return []
  return Object.values(container.inspection.NetworkSettings.Networks ?? {}).flatMap(({ IPAddress }) =>
    IPAddress ? { words: `by its address ${IPAddress}:${port}`, host: at(container, IPAddress, port) } : [],
  )
}

function tunnels(container: Container, { programs, server }: Survey, port: number): Way[] {
  const directories = [...new Set([server?.socketDirectory || '/var/run/postgresql', '/tmp'])]
  const places: InnerPlace[] = [
    { kind: 'tcp', address: '127.0.0.1', port },
    ...directories.map((directory) => ({ kind: 'unix', path: `${directory}/.s.PGSQL.${port}` }) as const),
  ]
  return places.flatMap((place) =>
    programs.flatMap((program) => {
      const command = tunnelCommand(program, place)
      const words = place.kind === 'unix' ? place.path : `${place.address}:${port}`
      return command === undefined
        ? []
        : {
            words: `by a tunnel to ${words} through ${program} in it`,
            host: Object.freeze({
              host: container.name,
              port,
              connect: (signal: AbortSignal | undefined) => container.openExec(command, signal),
            }),
          }
    }),
  )
}
