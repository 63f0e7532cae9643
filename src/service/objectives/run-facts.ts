import type { Run } from '../../shapes/run.ts'
import type { Runs } from '../runs/runs.ts'

/** What of the runs is judged by. */
export type RunsView = Pick<Runs, 'list' | 'events'>
export type JudgedCommand = 'backup' | 'prove'

const mostActive = 1000

/** What the runs say of databases, read once until one of them changes: the front page asks for all, again and again. */
export class RunFacts {
  readonly #runs: RunsView
  #active: ReadonlyMap<JudgedCommand, ReadonlySet<string>> | undefined
  readonly #last = new Map<string, Run | undefined>()

  constructor(runs: RunsView) {
    this.#runs = runs
    runs.events.on('run', () => {
      this.#active = undefined
      this.#last.clear()
    })
  }

  /** Whether one waits, or is at work. */
  isActive(command: JudgedCommand, database: string): boolean {
    this.#active ??= new Map((['backup', 'prove'] as const).map((one) => [one, this.#databasesAtWork(one)]))
    return this.#active.get(command)?.has(database) ?? false
  }

  /** The newest that ended by itself. */
  last(command: JudgedCommand, database: string): Run | undefined {
    const key = `${command} ${database}`
    if (!this.#last.has(key)) {
      const { items } = this.#runs.list({ database, command, states: ['done', 'failed'], limit: 1 })
      this.#last.set(key, items[0])
    }
    return this.#last.get(key)
  }

  #databasesAtWork(command: JudgedCommand): ReadonlySet<string> {
    const { items } = this.#runs.list({ command, states: ['waiting', 'running'], limit: mostActive })
    return new Set(items.flatMap(({ databases }) => databases))
  }
}
