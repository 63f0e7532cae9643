import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync } from 'node:fs'
import { ulid } from 'ulid'
import { z } from 'zod'
import { AppError, type ErrorCode, errorCodes } from '../../core/app-error.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { outcomeOf } from '../../service/runs/run-outcome.ts'
import { RunProcess } from '../../service/runs/run-process.ts'
import { FairShare } from './fair-share.ts'

export interface AskOptions {
  /** It need not be there. */
  readonly configFile: string
  readonly directory: string
  readonly environment: Environment
}

interface Question {
  /** Of more than is asked for usually. */
  readonly timeoutMs?: number
  /** Of whoever waits for the answer. */
  readonly signal?: AbortSignal
  /** Besides those of all; a secret for this one question. */
  readonly variables?: Environment
  /** An answer like this counts though the command failed. */
  readonly failureToo?: z.ZodType
}

const usualTimeoutMs = 60_000
const patienceMs = 10_000

/** Who asks, by their account; guard.ts says it of each request. */
export const asking = new AsyncLocalStorage<string>()

/**
 * What somebody wants to know now, and what is not kept as a run: a plan, rows of a backup, whether a database can be
 * reached. Each is a process of its own, as a run is, and a few at a time, by turns of those who ask.
 */
export class Ask implements AsyncDisposable {
  readonly #options: AskOptions
  readonly #shares = new FairShare()
  readonly #active = new Set<RunProcess>()

  constructor(options: AskOptions) {
    this.#options = options
  }

  /** The document that a command prints. Rejects with what the command says is wrong, `tries-exhausted` and `interrupted`. */
  async ask(command: string, words: readonly string[], question: Question = {}): Promise<unknown> {
    using _ = await this.#shares.take(asking.getStore() ?? '')
    return await this.#run(command, words, question)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const processes = [...this.#active]
    for (const process of processes) process.stop()
    const timer = setTimeout(() => processes.forEach((process) => process.kill()), patienceMs)
    await Promise.all(processes.map(({ ended }) => ended))
    clearTimeout(timer)
  }

  async #run(command: string, words: readonly string[], question: Question): Promise<unknown> {
    const { timeoutMs = usualTimeoutMs, signal, variables = {} } = question
    const { configFile, directory, environment } = this.#options
    signal?.throwIfAborted()
    const process = new RunProcess({
      id: ulid(),
      words: [
        ...(existsSync(configFile) ? ['--config', configFile] : []),
        '--json',
        '--no-color',
        '--quiet',
        ...command.split(' '),
        ...words,
      ],
      directory,
      environment: { ...environment, ...variables },
      onEvent: () => undefined,
    })
    this.#active.add(process)
    const isLate = AbortSignal.timeout(timeoutMs)
    const over = AbortSignal.any([isLate, ...(signal ? [signal] : [])])
    let kill: NodeJS.Timeout | undefined
    const stop = () => {
      process.stop()
      kill = setTimeout(() => process.kill(), patienceMs)
    }
    over.addEventListener('abort', stop)
    try {
      await process.identity
      process.begin()
      const { error, document } = outcomeOf(await process.ended, undefined)
      if (isLate.aborted) {
        throw new AppError('interrupted', `the answer did not come within ${Math.round(timeoutMs / 1000)} seconds`, {
          hint: 'nothing was changed; try it with "pgrevive" on the machine itself',
        })
      }
      if (error === null || question.failureToo?.safeParse(document).success) return document
      throw asAppError(error)
    } finally {
      over.removeEventListener('abort', stop)
      clearTimeout(kill)
      this.#active.delete(process)
    }
  }
}

const known = z.string().refine((code): code is ErrorCode => Object.hasOwn(errorCodes, code))

/** What a command says is wrong, in its document. */
export function asAppError({
  code,
  message,
  hint,
}: {
  code: string
  message: string
  hint?: string | undefined
}): Error {
  const { data } = known.safeParse(code)
  if (data === undefined) return new Error(`a process failed: ${message}`)
  return new AppError(data, message, hint === undefined ? {} : { hint })
}
