import { access } from 'node:fs/promises'
import type Dockerode from 'dockerode'
import { AppError } from '../core/app-error.ts'
import type { SshTunnel } from '../ssh/ssh-tunnel.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { Container, projectOf } from './container.ts'
import {
  type EngineAddress,
  type EngineSurroundings,
  describeAddress,
  dockerOptions,
  findEngineAddresses,
} from './engine-address.ts'
import { engineFailure, statusOf } from './engine-error.ts'

export interface EngineOptions extends EngineSurroundings {
  readonly signal: AbortSignal
}

/** How long to wait for the first answer. */
const answerMs = 10_000

/** Docker's, or what speaks its API as podman does. */
export class Engine {
  /** dockerode's own client, for what has no method here. */
  readonly docker: Dockerode
  /** `unix:///run/docker.sock` */
  readonly place: string
  /** Where ports that containers publish can be reached. */
  readonly host: string
  /** It runs on this machine, so that containers' own addresses may lead somewhere. */
  readonly isLocal: boolean
  readonly signal: AbortSignal
  readonly #tunnel: SshTunnel | undefined

  private constructor(docker: Dockerode, address: EngineAddress, signal: AbortSignal, tunnel?: SshTunnel) {
    this.#tunnel = tunnel
    this.docker = docker
    this.place = describeAddress(address)
    this.isLocal = address.kind === 'unix'
    this.host = address.kind === 'unix' ? '127.0.0.1' : address.kind === 'ssh' ? address.place.host : address.host
    this.signal = signal
  }

  /** The engine of the environment, which has answered. Throws `engine-unreachable`, or `usage-invalid` for a wrong DOCKER_HOST. */
  static async open(options: EngineOptions): Promise<Engine> {
    const addresses = findEngineAddresses(options)
    const [only] = addresses
    if (only && addresses.length === 1) return Engine.#connect(only, options)
    const failures: AppError[] = []
    for (const address of addresses) {
      if (address.kind === 'unix' && !(await isThere(address.path))) continue
      try {
        return await Engine.#connect(address, options)
      } catch (error) {
        options.signal.throwIfAborted()
        if (!(error instanceof AppError)) throw error
        failures.push(error)
      }
    }
    if (failures[0]) throw failures[0]
    throw new AppError('engine-unreachable', 'there is no container engine on this machine', {
      hint: `install and start Docker or podman ("systemctl start docker", "systemctl --user start podman.socket"), or set DOCKER_HOST; looked at ${addresses.map(describeAddress).join(', ')}`,
    })
  }

  static async #connect(address: EngineAddress, { signal, ...surroundings }: EngineOptions): Promise<Engine> {
    // dockerode takes long to load: only for who needs it
    const { default: Docker } = await import('dockerode')
    const over = address.kind === 'ssh' ? await throughTunnel(address, surroundings, signal) : undefined
    const options = address.kind === 'ssh' ? {} : await dockerOptions(address)
    const engine = new Engine(new Docker({ ...options, ...over?.options }), address, signal, over?.tunnel)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    try {
      await engine.ask('the first question', (docker) => untilAborted(docker.ping(), limit))
      return engine
    } catch (error) {
      await engine[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Ends the SSH connection, if it goes over one. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tunnel?.[Symbol.asyncDispose]()
  }

  /** Asks something of dockerode. Throws `engine-unreachable`, `engine-failed` or `container-stopped`, or the signal's reason. */
  async ask<Answer>(what: string, question: (docker: Dockerode) => Promise<Answer>): Promise<Answer> {
    this.signal.throwIfAborted()
    try {
      return await question(this.docker)
    } catch (error) {
      this.signal.throwIfAborted()
      throw engineFailure(error, what, this.place)
    }
  }

  /** A container by name or id, running or not. Throws `container-missing`. */
  async container(name: string): Promise<Container> {
    const inspection = await this.ask(`a look at ${name}`, async (docker) => {
      try {
        return await docker.getContainer(name).inspect({ abortSignal: this.signal })
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw error
      }
    })
    if (inspection) return new Container(this, inspection)
    const all = await this.ask('the list of containers', (docker) => docker.listContainers({ all: true }))
    const names = all.flatMap(({ Names }) => Names).map((text) => text.replace(/^\//, ''))
    throw new AppError('container-missing', `there is no container "${name}" at ${this.place}`, {
      hint:
        names.length === 0 ? 'it has none at all: is it the right engine?' : `it has ${names.toSorted().join(', ')}`,
    })
  }

  /** The containers of a project of docker compose or podman-compose, running or not, by service. Throws `container-missing`. */
  async projectContainers(project: string): Promise<Container[]> {
    const all = await this.ask('the list of containers', (docker) => docker.listContainers({ all: true }))
    const ours = all.filter(({ Labels }) => projectOf(Labels) === project)
    if (ours.length > 0) return Promise.all(ours.map(({ Id }) => this.container(Id)))
    const projects = new Set(all.flatMap(({ Labels }) => projectOf(Labels) ?? []))
    throw new AppError('container-missing', `no container at ${this.place} belongs to a compose project "${project}"`, {
      hint:
        projects.size === 0
          ? 'it has no compose project at all: run "docker compose up -d" first, or name a container'
          : `it has the projects ${[...projects].toSorted().join(', ')}`,
    })
  }

  /** The only container of a service of a project. Throws `container-missing` where there are several, or none. */
  async serviceContainer(project: string, service: string): Promise<Container> {
    const all = await this.projectContainers(project)
    const fitting = all.filter((container) => container.service === service)
    const [only] = fitting
    if (only && fitting.length === 1) return only
    const services = new Set(all.flatMap((container) => container.service ?? []))
    throw new AppError(
      'container-missing',
      only
        ? `the service "${service}" of "${project}" has ${fitting.length} containers: ${fitting.map(({ name }) => name).join(', ')}`
        : `the project "${project}" has no service "${service}" with a container`,
      {
        hint: only
          ? 'name one of them: docker://CONTAINER/DATABASE'
          : `it has ${[...services].toSorted().join(', ')}; "docker compose up -d" makes the containers of all`,
      },
    )
  }
}

async function throughTunnel(
  { place, path }: Extract<EngineAddress, { kind: 'ssh' }>,
  surroundings: EngineSurroundings,
  signal: AbortSignal,
) {
  const { SshTunnel } = await import('../ssh/ssh-tunnel.ts')
  const { TunnelAgent } = await import('./tunnel-agent.ts')
  const tunnel = await SshTunnel.open(place, surroundings, signal)
  // the agent connects, whatever the name
  return {
    tunnel,
    options: { protocol: 'http', host: 'engine', port: 80, agent: new TunnelAgent(tunnel, path) } as const,
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EACCES',
  )
}
