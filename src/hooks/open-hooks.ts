import { AppError, hasCode, inContext, messageOf } from '../core/app-error.ts'
import type { HookContainers } from './hook-containers.ts'
import { type HookFacts, type HookOutcome, handedVariables, harmlessVariables } from './hook-environment.ts'
import { type HookLists, type HookName, describeStep } from './hook-step.ts'
import { type StepSurroundings, runStep } from './run-step.ts'

/** For a container that is started again, and for the end of its stop before, which may be given minutes to end by itself. */
const startMs = 600_000

export type HookedAction = 'backup' | 'restore'

export interface HookContext {
  /** Of pgrevive; little of it is handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where programs run: that of pgrevive.yaml. */
  readonly directory: string
  /** Names the run, also in its log. */
  readonly run: string
  readonly signal: AbortSignal
  readonly containers: () => Promise<HookContainers>
  /** Rejects unless a database, which is configured or a connection string, can be connected to. */
  readonly reachDatabase: StepSurroundings['reachDatabase']
  /** A step that begins, and each line that it prints. */
  readonly onLine: (line: string) => void
  readonly warn: (text: string) => void
}

/** What happened, and what a hook made of it: the work is done even if there is a failure. */
export interface Hooked<Result> {
  readonly result: Result
  readonly failure: AppError | undefined
}

type Told = Partial<HookFacts> & { readonly outcome: 'done' | 'incomplete' }

export function openHooks(lists: HookLists, context: HookContext): Hooks {
  return new Hooks(lists, context)
}

/**
 * The hooks of one backup or restore: `before` first, then either `after` or `failed`, or `around` for all three. What
 * a hook stopped is started again by whichever comes last, unless a hook has done so.
 */
export class Hooks {
  readonly #lists: HookLists
  readonly #context: HookContext
  /** Containers that ran, and were stopped by a step; in that order. */
  readonly #stopped = new Set<string>()

  constructor(lists: HookLists, context: HookContext) {
    this.#lists = lists
    this.#context = context
  }

  /** Throws `hook-failed`; then call `failed`, as after any failure. */
  async before(action: HookedAction, facts: HookFacts): Promise<void> {
    try {
      await this.#run(`before_${action}`, action, facts, this.#context.signal)
    } catch (error) {
      if (!hasCode(error, 'hook-failed')) throw error
      const hint = `the ${action} was not begun; mend the hook, or leave hooks out with --no-hooks`
      throw withHint(error, error.hint === undefined ? hint : `${error.hint}; ${hint}`)
    }
  }

  /** The work is done. Throws `hook-failed`, or `interrupted`, after everything was started again; then call `failed`. */
  async after(action: HookedAction, facts: HookFacts, outcome: 'done' | 'incomplete' = 'done'): Promise<void> {
    try {
      await this.#run(`after_${action}`, action, { ...facts, outcome }, this.#context.signal)
    } catch (error) {
      await this.#startAgain().catch((failure: unknown) => this.#context.warn(messageOf(failure)))
      throw error
    }
    await this.#startAgain()
  }

  /** What was stopped is started again, and on_failure is run. Never throws: what fails here is a warning. */
  async failed(action: HookedAction, facts: HookFacts, error: unknown): Promise<void> {
    const told = {
      ...facts,
      outcome: hasCode(error, 'interrupted') ? ('interrupted' as const) : ('failed' as const),
      errorCode: error instanceof AppError ? error.code : 'bug',
      error: messageOf(error),
    }
    // Who has stopped the run still wants this; each step has its time limit.
    const untilTheEnd = new AbortController().signal
    for (const work of [
      () => this.#startAgain(),
      () => this.#run('on_failure', action, told, untilTheEnd),
      () => this.#startAgain(),
    ]) {
      await work().catch((failure: unknown) => this.#context.warn(messageOf(failure)))
    }
  }

  /** `tell` says what hooks are told of the result. A failure of `after` does not undo it. */
  async around<Result>(
    action: HookedAction,
    facts: HookFacts,
    work: () => Promise<Result>,
    tell: (result: Result) => Told,
  ): Promise<Hooked<Result>> {
    const begun = async (begin: () => Promise<void>) => {
      await begin()
      return work()
    }
    return this.aroundPart(action, facts, begun, tell)
  }

  /** The same, but `work` itself begins: when it is about to touch what the hooks are for. */
  async aroundPart<Result>(
    action: HookedAction,
    facts: HookFacts,
    work: (begin: () => Promise<void>) => Promise<Result>,
    tell: (result: Result) => Told,
  ): Promise<Hooked<Result>> {
    let result: Result
    try {
      result = await work(() => this.before(action, facts))
    } catch (error) {
      if (!(error instanceof Declined)) {
        await this.failed(action, facts, this.#context.signal.aborted ? this.#context.signal.reason : error)
      }
      throw error
    }
    const { outcome, ...more } = tell(result)
    try {
      await this.after(action, { ...facts, ...more }, outcome)
      return { result, failure: undefined }
    } catch (error) {
      await this.failed(action, { ...facts, ...more }, error)
      if (!(error instanceof AppError)) throw error
      const failure = inContext(`the ${action} is done and whole, and a hook is not`, error)
      return { result, failure: withHint(failure, `do by hand what after_${action} was to do; the ${action} stays`) }
    }
  }

  async #run(
    name: HookName,
    action: HookedAction,
    told: HookFacts & Partial<HookOutcome>,
    signal: AbortSignal,
  ): Promise<void> {
    const { run, environment, directory, containers, reachDatabase, onLine } = this.#context
    for (const step of this.#lists[name] ?? []) {
      signal.throwIfAborted()
      onLine(`${name}: ${describeStep(step)}`)
      const surroundings: StepSurroundings = {
        handed: handedVariables(environment, step.variables, { ...told, action, run }),
        harmless: harmlessVariables(environment),
        directory,
        signal,
        containers,
        reachDatabase,
        onLine: (line) => onLine(`  ${line}`),
        onStop: (container) => this.#stopped.add(container),
        onStarted: (container) => this.#stopped.delete(container),
      }
      await runStep(step, surroundings).catch((error: unknown) => {
        throw inContext(name, error)
      })
    }
  }

  /** In the reverse order. One that can not be started does not keep the others from it. */
  async #startAgain(): Promise<void> {
    const failures: string[] = []
    for (const name of [...this.#stopped].toReversed()) {
      this.#stopped.delete(name)
      this.#context.onLine(`start ${name} again`)
      try {
        await startSurely(await this.#context.containers(), name)
      } catch (error) {
        failures.push(`${name} was stopped by a hook and can not be started again: ${messageOf(error)}`)
      }
    }
    if (failures.length > 0) throw new AppError('hook-failed', failures.join('; '), { hint: 'start it by hand' })
  }
}

/** Whoever else stopped it at the same time may have undone the first start. */
async function startSurely(containers: HookContainers, name: string): Promise<void> {
  const options = { signal: AbortSignal.timeout(startMs) }
  for (let tries = 0; tries < 2; tries++) {
    await containers.start(name, options)
    if (await containers.isRunning(name, options)) return
  }
  throw new Error('it was started twice and does not run')
}

/** Whoever was asked does not want it: nothing was begun, and nothing has failed. */
export class Declined extends AppError {}

function withHint({ code, message, cause }: AppError, hint: string): AppError {
  return new AppError(code, message, { cause, hint })
}
