import { z } from 'zod'
import type { Run } from '../../shapes/run.ts'
import type { ApiRoom } from '../api-room.ts'
import { wantedRuns } from './run-request.ts'

const prefix = 'prove-next:'
const fact = z.object({ value: z.string() })

/**
 * Databases whose next backup is to be proven as soon as it is done, whoever looks on: kept in the state, so that it is done
 * also when the service or the backup was interrupted in between.
 */
export class ProveNext {
  readonly #service: ApiRoom['service']
  readonly #names: ApiRoom['names']

  constructor({ service, names, closing }: Pick<ApiRoom, 'service' | 'names' | 'closing'>) {
    this.#service = service
    this.#names = names
    const hear = (run: Run) => this.#ended(run)
    service.runs.events.on('ended', hear)
    closing.addEventListener('abort', () => service.runs.events.off('ended', hear), { once: true })
  }

  /** `by` wants it. */
  wait(databases: readonly string[], by: string): void {
    for (const database of databases) {
      this.#service.state.change('insert or replace into fact (name, value) values (:name, :by)', {
        name: prefix + database,
        by,
      })
    }
  }

  #ended({ command, state, databases }: Run): void {
    // One that was interrupted is begun again.
    if (command !== 'backup' || state === 'interrupted') return
    for (const database of databases) {
      const values = { name: prefix + database }
      const wanted = this.#service.state.first(fact, 'select value from fact where name = :name', values)
      if (!wanted) continue
      this.#service.state.change('delete from fact where name = :name', values)
      const names = this.#names()
      if (state !== 'done' || !names.databases.includes(database)) continue
      for (const proof of wantedRuns({ command: 'prove', databases: [database] }, names)) {
        this.#service.runs.request({ ...proof, cause: 'request', by: wanted.value })
      }
    }
  }
}
