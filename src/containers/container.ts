import type { ContainerInspectInfo } from 'dockerode'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../core/app-error.ts'
import { TunnelStream } from '../core/byte-stream.ts'
import type { Engine } from './engine.ts'
import { engineFailure } from './engine-error.ts'
import { OutputFrames } from './output-frames.ts'

export interface ExecOptions {
  /** Else that of the container. */
  readonly user?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly workingDirectory?: string
  /** Ends the wait: the engine has no way to end the program, which goes on. */
  readonly signal?: AbortSignal
  /** Everything as it comes; `errors` is what went to stderr. */
  readonly onOutput?: (bytes: Buffer, from: 'output' | 'errors') => void
}

/** A program that has ended. The texts are at most the last MiB. */
export interface Executed {
  readonly exitCode: number
  readonly output: string
  readonly errors: string
}

const keptBytes = 2 ** 20
const lookAgainMs = 250

/** One container: what it was when it was found, and what can be done with it. */
export class Container {
  readonly id: string
  readonly name: string
  /** Of docker compose or podman-compose. */
  readonly project: string | undefined
  readonly service: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly inspection: ContainerInspectInfo
  readonly engine: Engine

  constructor(engine: Engine, inspection: ContainerInspectInfo) {
    this.engine = engine
    this.inspection = inspection
    this.id = inspection.Id
    this.name = inspection.Name.replace(/^\//, '')
    this.labels = inspection.Config.Labels ?? {}
    this.project = projectOf(this.labels)
    this.service = this.labels['com.docker.compose.service'] ?? this.labels['io.podman.compose.service']
  }

  get isRunning(): boolean {
    return this.inspection.State.Running
  }

  /** The variables that it was made with. */
  get environment(): ReadonlyMap<string, string> {
    const pairs = (this.inspection.Config.Env ?? []).map((text) => text.split(/=(.*)/s) as [string, string?])
    return new Map(pairs.map(([name, value = '']) => [name, value]))
  }

  /** The same container as it is now. */
  async again(): Promise<Container> {
    return this.engine.container(this.id)
  }

  /** Does nothing to one that runs. */
  async start(): Promise<void> {
    await this.engine.ask(`starting ${this.name}`, () => this.#handle.start().catch(unlessSoAlready))
  }

  /** Kills what has not ended by itself after `graceSeconds`, by default what the container was made with. */
  async stop(graceSeconds?: number): Promise<void> {
    const options = graceSeconds === undefined ? {} : { t: graceSeconds }
    await this.engine.ask(`stopping ${this.name}`, () => this.#handle.stop(options).catch(unlessSoAlready))
  }

  async restart(graceSeconds?: number): Promise<void> {
    const options = graceSeconds === undefined ? {} : { t: graceSeconds }
    await this.engine.ask(`restarting ${this.name}`, () => this.#handle.restart(options))
  }

  /**
   * Runs a program in it to its end. What it starts must end before it: orphans become children of process 1, and a
   * PostgreSQL that is process 1 takes one that a signal killed for a crash of its own, and restarts. Throws
   * `container-stopped` if it does not run; a bad exit code is no error.
   */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<Executed> {
    const signal = options.signal ?? this.engine.signal
    const { id, socket } = await this.#open(command, options, false, signal)
    const kept = { output: Buffer.alloc(0), errors: Buffer.alloc(0) }
    const keep = (bytes: Buffer, from: 'output' | 'errors') => {
      kept[from] = Buffer.concat([kept[from], bytes]).subarray(-keptBytes)
      options.onOutput?.(bytes, from)
    }
    const frames = new OutputFrames((bytes) => keep(bytes, 'errors'))
    try {
      socket.on('data', (chunk: Buffer) => frames.unwrap(chunk).forEach((bytes) => keep(bytes, 'output')))
      await once(socket, 'end', { signal })
    } catch (error) {
      signal.throwIfAborted()
      throw engineFailure(error, `running ${command[0]} in ${this.name}`, this.engine.place)
    } finally {
      socket.on('error', () => undefined).destroy()
    }
    const exitCode = await this.#exitCode(id, signal)
    return { exitCode, output: kept.output.toString(), errors: kept.errors.toString() }
  }

  /** Runs a program in it, as a stream: what is written is its input, what is read its output. It ends with the stream. */
  async openExec(command: readonly string[], signal: AbortSignal | undefined): Promise<TunnelStream> {
    const { socket } = await this.#open(command, {}, true, signal)
    return new TunnelStream(socket, new OutputFrames())
  }

  /**
   * Waits until it runs and, if it has a health check, is healthy. Throws `container-stopped` when it ends, and after
   * `limitMs`.
   */
  async becomeReady(limitMs: number, signal: AbortSignal = this.engine.signal): Promise<void> {
    const startedMs = performance.now()
    for (;;) {
      const { State } = (await this.again()).inspection
      const health = State.Health?.Status || 'none'
      if (State.Running && !State.Restarting && ['none', 'healthy'].includes(health)) return
      const isOver = performance.now() - startedMs > limitMs
      if (isOver || (!State.Running && State.ExitCode !== 0 && !State.Restarting)) {
        const state = State.Running ? `${State.Status}, ${health}` : `${State.Status}, exit code ${State.ExitCode}`
        throw new AppError('container-stopped', `${this.name} does not become ready: ${state}`, {
          hint: `look into its log: "docker logs ${this.name}"`,
        })
      }
      await delay(lookAgainMs, undefined, { signal })
    }
  }

  get #handle() {
    return this.engine.docker.getContainer(this.id)
  }

  async #open(
    command: readonly string[],
    { user, environment, workingDirectory }: ExecOptions,
    hasInput: boolean,
    signal: AbortSignal | undefined,
  ) {
    const abortSignal = signal ?? this.engine.signal
    return this.engine.ask(`running ${command[0]} in ${this.name}`, async () => {
      const exec = await this.#handle.exec({
        Cmd: [...command],
        AttachStdin: hasInput,
        AttachStdout: true,
        AttachStderr: true,
        ...(user === undefined ? {} : { User: user }),
        ...(workingDirectory === undefined ? {} : { WorkingDir: workingDirectory }),
        ...(environment === undefined
          ? {}
          : { Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`) }),
        abortSignal,
      })
      // the socket of the request itself, since it is hijacked
      const socket = await exec.start({ hijack: true, stdin: true })
      return { id: exec.id, socket }
    })
  }

  /** A program may have closed its output, and go on. */
  async #exitCode(id: string, signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted()
      const state = await this.engine.ask(`the exit code of a program in ${this.name}`, (docker) =>
        docker.getExec(id).inspect(),
      )
      if (!state.Running) return state.ExitCode ?? 0
      await delay(50)
    }
  }
}

/** 304: it runs, or is stopped, already. */
function unlessSoAlready(error: unknown): void {
  if (!(error instanceof Error && 'statusCode' in error && error.statusCode === 304)) throw error
}

export function projectOf(labels: Readonly<Record<string, string>> | null): string | undefined {
  return labels?.['com.docker.compose.project'] ?? labels?.['io.podman.compose.project']
}
