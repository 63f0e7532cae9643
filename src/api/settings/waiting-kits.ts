import { z } from 'zod'
import type { State } from '../../service/state/state.ts'

const prefix = 'kit-waits:'

/** Repositories that were made over the API, and whose recovery kit nobody has said to keep elsewhere yet. */
export class WaitingKits {
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  wait(repository: string): void {
    this.#state.change("insert into fact (name, value) values (:name, '') on conflict (name) do nothing", {
      name: prefix + repository,
    })
  }

  kept(repository: string): void {
    this.#state.change('delete from fact where name = :name', { name: prefix + repository })
  }

  /** Of `repositories`, those that wait. */
  of(repositories: readonly { readonly name: string }[]): string[] {
    const rows = this.#state.all(z.object({ name: z.string() }), 'select name from fact')
    const waiting = new Set(rows.map(({ name }) => name))
    return repositories.flatMap(({ name }) => (waiting.has(prefix + name) ? [name] : []))
  }
}
