/** Something to do once other things are done. */
export interface Task {
  readonly needs: readonly Task[]
  /** What no other task may use meanwhile. */
  readonly claims?: readonly string[]
  /** What other tasks may use meanwhile if they share it too. */
  readonly shares?: readonly string[]
  readonly run: (options: { readonly worker: number; readonly signal: AbortSignal }) => Promise<void>
}

/**
 * Runs all tasks, at most `limit` at a time: whenever a worker is free, the first in the list that may begin. The first
 * failure aborts the signal that the others were handed, waits until they have stopped, and is thrown.
 */
export async function runTasks(
  tasks: readonly Task[],
  limit: number,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const failed = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
  const queue = new TaskQueue(tasks)
  let failure: { readonly error: unknown } | undefined
  let running = 0
  let wake = Promise.withResolvers<void>()
  const runWorker = async (worker: number) => {
    while (queue.remaining > 0 && !failure) {
      const task = queue.take()
      if (!task) {
        if (running === 0) throw new Error('the tasks that are left wait for each other')
        await wake.promise
        continue
      }
      running++
      try {
        signal.throwIfAborted()
        await task.run({ worker, signal })
        queue.finish(task)
      } catch (error) {
        failure ??= { error }
        failed.abort(error)
      }
      running--
      wake.resolve()
      wake = Promise.withResolvers()
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, limit) }, (_, worker) => runWorker(worker)))
  if (failure) throw failure.error
}

/** Knows which tasks may begin. */
class TaskQueue {
  readonly #rank: ReadonlyMap<Task, number>
  readonly #unmet = new Map<Task, number>()
  readonly #waiting = new Map<Task, Task[]>()
  /** Everything they need is done; the first of the list comes last. */
  readonly #ready: Task[] = []
  /** How many tasks share a thing; -1 where one has claimed it. */
  readonly #used = new Map<string, number>()
  /** Not yet taken. */
  remaining: number

  constructor(tasks: readonly Task[]) {
    this.#rank = new Map(tasks.map((task, index) => [task, index]))
    this.remaining = tasks.length
    for (const task of tasks.toReversed()) {
      const needs = new Set(task.needs)
      this.#unmet.set(task, needs.size)
      for (const need of needs) {
        const waiting = this.#waiting.get(need)
        if (waiting) waiting.push(task)
        else this.#waiting.set(need, [task])
      }
      if (needs.size === 0) this.#ready.push(task)
    }
  }

  /** undefined if none may begin now. */
  take(): Task | undefined {
    const index = this.#ready.findLastIndex((task) => this.#isFree(task))
    const [task] = index === -1 ? [] : this.#ready.splice(index, 1)
    if (!task) return undefined
    this.remaining--
    for (const name of task.shares ?? []) this.#used.set(name, (this.#used.get(name) ?? 0) + 1)
    for (const name of task.claims ?? []) this.#used.set(name, -1)
    return task
  }

  finish(task: Task): void {
    for (const name of task.shares ?? []) this.#used.set(name, (this.#used.get(name) ?? 0) - 1)
    for (const name of task.claims ?? []) this.#used.delete(name)
    for (const next of this.#waiting.get(task) ?? []) {
      const unmet = (this.#unmet.get(next) ?? 0) - 1
      this.#unmet.set(next, unmet)
      if (unmet === 0) this.#insert(next)
    }
  }

  #isFree({ claims = [], shares = [] }: Task): boolean {
    const used = (name: string) => this.#used.get(name) ?? 0
    return claims.every((name) => used(name) === 0) && shares.every((name) => used(name) >= 0)
  }

  #insert(task: Task): void {
    const rank = this.#rankOf(task)
    const index = this.#ready.findIndex((other) => this.#rankOf(other) < rank)
    this.#ready.splice(index === -1 ? this.#ready.length : index, 0, task)
  }

  #rankOf(task: Task): number {
    return this.#rank.get(task) ?? Infinity
  }
}
