import type { Container } from '../containers/container.ts'
import type { Engine } from '../containers/engine.ts'
import { AppError } from '../core/app-error.ts'
import { untilAborted } from '../core/until-aborted.ts'
import type { HookContainers } from './hook-containers.ts'
import { LineSplitter } from './line-splitter.ts'

const lookMs = 2000

/** The containers of an engine, by their names, or by those of a compose project's services. */
export class EngineContainers implements HookContainers {
  readonly #engine: Engine
  readonly #project: string | undefined
  /** What the engine was asked to stop and has not answered yet, by the container's name. */
  readonly #stopping = new Map<string, Promise<void>>()

  /** `engine` must go on after the run has been stopped: what a hook stopped is then started again. */
  constructor(engine: Engine, project: string | undefined) {
    this.#engine = engine
    this.#project = project
  }

  async find(name: string): Promise<readonly string[]> {
    const ofProject = this.#project === undefined ? [] : await this.#engine.projectContainers(this.#project)
    const service = ofProject.filter((container) => container.service === name)
    const found = service.length > 0 ? service : [await this.#engine.container(name)]
    return found.map((container) => container.name)
  }

  async isRunning(name: string, { signal }: { signal: AbortSignal }): Promise<boolean> {
    return (await untilAborted(this.#engine.container(name), signal)).isRunning
  }

  async stop(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    const container = await untilAborted(this.#engine.container(name), signal)
    const stopping = container.stop().finally(() => this.#stopping.delete(name))
    this.#stopping.set(name, stopping)
    await untilAborted(stopping, signal)
  }

  async start(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    // the engine takes a container that is still being stopped for one that runs
    await untilAborted(Promise.allSettled([this.#stopping.get(name)]), signal)
    const container = await untilAborted(this.#engine.container(name), signal)
    await untilAborted(container.start(), signal)
  }

  async checkReady(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    for (const found of await this.find(name)) {
      await (await this.#engine.container(found)).becomeReady(lookMs, signal)
    }
  }

  async run(name: string, command: readonly string[], options: Parameters<HookContainers['run']>[2]): Promise<number> {
    const { environment, signal, onLine } = options
    const container = await this.#only(name)
    const lines = new LineSplitter(onLine)
    const { exitCode } = await container.exec(command, {
      environment,
      signal,
      onOutput: (bytes) => lines.write(bytes),
    })
    lines.end()
    return exitCode
  }

  async #only(name: string): Promise<Container> {
    const [first = name, ...others] = await this.find(name)
    if (others.length === 0) return this.#engine.container(first)
    throw new AppError(
      'container-missing',
      `"${name}" is ${others.length + 1} containers: ${[first, ...others].join(', ')}`,
      {
        hint: 'name one of them',
      },
    )
  }
}
