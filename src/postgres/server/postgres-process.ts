import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { withoutCoreFile } from '../../core/child-process.ts'
import { AppError } from '../../core/app-error.ts'
import type { ServerAccount } from './server-account.ts'

export interface PostgresProcessOptions {
  /** Where `postgres` lies. */
  readonly binDirectory: string
  readonly dataDirectory: string
  readonly logFile: string
  readonly account: ServerAccount
  /** All of it, not additions. */
  readonly environment: Record<string, string | undefined>
  readonly signal?: AbortSignal | undefined
}

/** What a shell does whose standard input pgrevive holds open: it ends with pgrevive, even by kill -9. */
const stopWithOwner = 'read -r _; kill -QUIT "$0"'

const logEndBytes = 16_384
const startLimitMs = 60_000
/** Immediate shutdown, for nothing is to be kept, and what no process survives. */
const stopSignals = [
  ['SIGQUIT', 10_000],
  ['SIGKILL', 10_000],
] as const

/** A running `postgres`, a child of pgrevive that does not outlive it; disposal stops it and waits for its end. */
export class PostgresProcess implements AsyncDisposable {
  readonly processId: number
  readonly #server: StartedProcess
  readonly #logFile: string
  #watcher: StartedProcess | undefined

  private constructor(server: StartedProcess, logFile: string) {
    this.processId = server.pid
    this.#server = server
    this.#logFile = logFile
  }

  /** Resolves once the server accepts connections. Throws `postgres-start-failed`. */
  static async start(options: PostgresProcessOptions): Promise<PostgresProcess> {
    const { account, binDirectory, dataDirectory, environment, logFile } = options
    await using owned = new AsyncDisposableStack()
    await using log = await open(logFile, 'a', 0o600)
    // in a session of its own: a Ctrl-C is for pgrevive, which then stops the server itself
    const how = { ...account, cwd: dataDirectory, env: environment, detached: true }
    const command = withoutCoreFile([join(binDirectory, 'postgres'), '-D', dataDirectory])
    const server = await startProcess(command, { ...how, stdio: ['ignore', log.fd, log.fd] })
    const started = owned.use(new PostgresProcess(server, logFile))
    await started.#watch(how)
    await started.#untilReady(options)
    owned.move()
    return started
  }

  async #watch(how: SpawnOptions): Promise<void> {
    const command = ['/bin/sh', ['-c', stopWithOwner, String(this.processId)]] as const
    const watcher = await startProcess(command, { ...how, stdio: ['pipe', 'ignore', 'ignore'] })
    this.#watcher = watcher
    // killed, not let go: it would stop whoever has the server's process id by then
    this.#server.once('exit', () => watcher.kill('SIGKILL'))
    if (hasEnded(this.#server)) watcher.kill('SIGKILL')
  }

  async #untilReady(options: PostgresProcessOptions): Promise<void> {
    const startedAt = performance.now()
    while (!(await isReady(options.dataDirectory))) {
      options.signal?.throwIfAborted()
      if (hasEnded(this.#server)) throw await this.#startFailure('ended while it started')
      if (performance.now() - startedAt > startLimitMs) {
        throw await this.#startFailure(`was not ready after ${startLimitMs / 1000} s`)
      }
      await delay(20, undefined, { signal: options.signal })
    }
  }

  async #startFailure(what: string): Promise<AppError> {
    return new AppError('postgres-start-failed', `the scratch server ${what}: ${(await this.log()).trim()}`)
  }

  /** The end of the server's log, at most 16 kB. */
  async log(): Promise<string> {
    await using file = await open(this.#logFile)
    const start = Math.max(0, (await file.stat()).size - logEndBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(logEndBytes), 0, logEndBytes, start)
    return buffer.toString('utf8', 0, bytesRead)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [signal, limitMs] of stopSignals) {
      if (hasEnded(this.#server)) break
      this.#server.kill(signal)
      await endsWithin(this.#server, limitMs)
    }
    if (this.#watcher) await endsWithin(this.#watcher, 10_000)
  }
}

type StartedProcess = ChildProcess & { readonly pid: number }

async function startProcess(
  [program, args]: readonly [string, readonly string[]],
  options: SpawnOptions,
): Promise<StartedProcess> {
  const child = spawn(program, args, options)
  await once(child, 'spawn')
  if (!hasStarted(child)) throw new AppError('postgres-start-failed', `${program} was started without a process id`)
  return child
}

function hasStarted(child: ChildProcess): child is StartedProcess {
  return child.pid !== undefined
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function endsWithin(child: ChildProcess, limitMs: number): Promise<void> {
  if (hasEnded(child)) return
  const done = new AbortController()
  const { signal } = done
  await Promise.race([once(child, 'exit', { signal }), delay(limitMs, undefined, { signal })])
  done.abort()
}

/** The last line of postmaster.pid is the server's state (src/include/utils/pidfile.h). */
async function isReady(dataDirectory: string): Promise<boolean> {
  try {
    const lines = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n')
    return lines[7]?.trim() === 'ready'
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
