import { AppError, messageOf } from '../core/app-error.ts'
import type { HookContainers } from './hook-containers.ts'
import { type HookStep, describeStep, programOf } from './hook-step.ts'
import { runProgram } from './run-program.ts'
import { type Probes, waitUntil } from './wait-until.ts'

const toldLines = 10
const toldColumns = 300

export interface StepSurroundings {
  /** Variables for a program, wherever it runs, and those for one of this machine besides. */
  readonly handed: Readonly<Record<string, string>>
  readonly harmless: Readonly<Record<string, string>>
  /** Where programs of this machine run. */
  readonly directory: string
  readonly signal: AbortSignal
  readonly containers: () => Promise<HookContainers>
  readonly reachDatabase: Probes['database']
  readonly onLine: (line: string) => void
  /** Before a container is stopped that runs. */
  readonly onStop: (container: string) => void
  readonly onStarted: (container: string) => void
}

/** Throws `hook-failed`, with the last lines that the step printed, or the reason of the signal. */
export async function runStep(step: HookStep, surroundings: StepSurroundings): Promise<void> {
  const last: string[] = []
  const onLine = (line: string) => {
    surroundings.onLine(line)
    last.push(line.slice(0, toldColumns))
    if (last.length > toldLines) last.shift()
  }
  const limit = new AbortController()
  const expire = () => limit.abort(new AppError('hook-failed', `it was not done within ${step.timeoutMs / 1000} s`))
  const timer = setTimeout(expire, step.timeoutMs)
  const signal = AbortSignal.any([limit.signal, surroundings.signal])
  try {
    await perform(step, { ...surroundings, signal, onLine })
  } catch (error) {
    surroundings.signal.throwIfAborted()
    const said = last.length === 0 ? '' : `; it printed last:\n${last.join('\n')}`
    throw new AppError('hook-failed', `${describeStep(step)}: ${messageOf(error)}${said}`, {
      cause: error,
      ...(error instanceof AppError && error.hint !== undefined && { hint: error.hint }),
    })
  } finally {
    clearTimeout(timer)
  }
}

async function perform(step: HookStep, surroundings: StepSurroundings): Promise<void> {
  const { signal, reachDatabase: database, onStop, onStarted } = surroundings
  switch (step.kind) {
    case 'run':
      return run(step, surroundings)
    case 'wait': {
      const container = async (name: string, signal: AbortSignal) =>
        (await surroundings.containers()).checkReady(name, { signal })
      return waitUntil(step.until, signal, { database, container })
    }
    case 'stop': {
      const containers = await surroundings.containers()
      const names = await findAll(step.containers, containers)
      // at the same time: one that does not listen takes ten seconds
      const stopping = names.map(async (name) => {
        if (!(await containers.isRunning(name, { signal }))) return
        signal.throwIfAborted()
        onStop(name)
        await containers.stop(name, { signal })
      })
      const refused = (await Promise.allSettled(stopping)).find((outcome) => outcome.status === 'rejected')
      if (refused) throw refused.reason
      return
    }
    case 'start': {
      const containers = await surroundings.containers()
      for (const name of await findAll(step.containers, containers)) {
        await containers.start(name, { signal })
        onStarted(name)
      }
      return
    }
  }
}

/** All of them before any is touched: a name that is wrong stops nothing. */
async function findAll(names: readonly string[], containers: HookContainers): Promise<string[]> {
  const found: string[] = []
  for (const name of names) found.push(...(await containers.find(name)))
  return found
}

async function run(step: HookStep & { kind: 'run' }, surroundings: StepSurroundings): Promise<void> {
  const command = programOf(step.command)
  const { handed, harmless } = surroundings
  if (step.container !== undefined) {
    const containers = await surroundings.containers()
    const exitCode = await containers.run(step.container, command, { ...surroundings, environment: handed })
    if (exitCode !== 0) throw new Error(`it ended with exit code ${exitCode}`)
    return
  }
  const { exitCode, endedBy } = await runProgram(command, {
    ...surroundings,
    environment: { ...harmless, ...handed },
  }).catch((error: unknown) => {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    throw new AppError('hook-failed', `it can not be run: ${error.message}`, {
      cause: error,
      hint: 'a list is a program and its arguments, a text is a command line for /bin/sh; look at PATH',
    })
  })
  if (exitCode !== 0) throw new Error(exitCode === null ? `${endedBy} ended it` : `it ended with exit code ${exitCode}`)
}
