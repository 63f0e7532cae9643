import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { processStartTime } from '../../core/process-start-time.ts'
import { type RunEvent, beginMessage, runVariable } from '../../core/run-events.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { type ProcessEnd, neverBegan } from './run-outcome.ts'

const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))
/** A list of many backups is long; it is read once, and not kept. */
const longestOutput = 512 * 2 ** 20

export interface RunProcessOptions {
  readonly id: string
  /** After "pgrevive". */
  readonly words: readonly string[]
  readonly directory: string
  readonly environment: Environment
  readonly onEvent: (event: RunEvent) => void
}

/** The process of one run. It does nothing before `begin`, and ends by itself when this process is gone. */
export class RunProcess {
  /** With its start time. */
  readonly identity: Promise<{ readonly pid: number; readonly startTime: number } | undefined>
  readonly ended: Promise<ProcessEnd>
  readonly #child: ChildProcess
  #isOver = false

  constructor({ id, words, directory, environment, onEvent }: RunProcessOptions) {
    // a group of its own: Ctrl-C at the terminal of the service is for the service
    const child = spawn(process.execPath, [program, ...words], {
      cwd: directory,
      env: { ...environment, [runVariable]: id },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    this.#child = child
    child.on('message', (message) => {
      const { success, data } = runEvent.safeParse(message)
      if (success) onEvent(data)
    })
    const { stdout, stderr } = child
    if (!stdout || !stderr) throw new Error('a process without its streams')
    createInterface({ input: stderr }).on('line', (text) => onEvent({ kind: 'log', level: 'warning', text }))
    this.identity = this.#identify()
    this.ended = this.#watch(collect(stdout))
  }

  /** Lets it work. */
  begin(): void {
    if (this.#child.connected) this.#child.send(beginMessage, () => undefined) // one that is gone says so by its end
  }

  /** It undoes what it has begun. */
  stop(): void {
    if (!this.#isOver) this.#child.kill('SIGTERM')
  }

  kill(): void {
    if (!this.#isOver) this.#child.kill('SIGKILL')
  }

  async #identify(): Promise<{ pid: number; startTime: number } | undefined> {
    const { pid } = this.#child
    const startTime = pid === undefined ? undefined : await processStartTime(pid)
    return pid === undefined || startTime === undefined ? undefined : { pid, startTime }
  }

  async #watch(stdout: Promise<string | undefined>): Promise<ProcessEnd> {
    try {
      await once(this.#child, 'close')
      return { exitCode: this.#child.exitCode, signal: this.#child.signalCode, stdout: await stdout }
    } catch (error) {
      return neverBegan(error)
    } finally {
      this.#isOver = true
    }
  }
}

/** Undefined when it is too long; it is read to its end all the same. */
async function collect(stream: Readable): Promise<string | undefined> {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes <= longestOutput) pieces.push(piece)
      else pieces.length = 0
    }
  } catch {
    return undefined // the end of the process tells
  }
  return bytes <= longestOutput ? Buffer.concat(pieces).toString('utf8') : undefined
}

/** Waits until the process of a run that another service began is gone, which it ends by itself; after `patienceMs` it is killed. */
export async function outlive(
  run: { readonly id: string; readonly pid: number; readonly startTime: number },
  { patienceMs, signal }: { patienceMs: number; signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (await isAlive(run)) {
    if (performance.now() > deadline) kill(run.pid)
    await delay(100, undefined, { signal })
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Ids, and start times counted from the boot, may be those of something else after a restart of the machine. */
async function isAlive({ id, pid, startTime }: { id: string; pid: number; startTime: number }): Promise<boolean> {
  if ((await processStartTime(pid)) !== startTime) return false
  if (process.platform !== 'linux') return true
  const variables = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  return variables.split('\0').includes(`${runVariable}=${id}`)
}

const runEvent: z.ZodType<RunEvent> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('progress'),
    progress: z.object({
      phase: z.string(),
      done: z.number().exactOptional(),
      total: z.number().exactOptional(),
      unit: z.enum(['bytes', 'rows', 'items']),
      detail: z.string().exactOptional(),
    }),
  }),
  z.object({ kind: z.literal('log'), level: z.enum(['info', 'warning', 'error']), text: z.string() }),
])
