import type { OnProgress } from '../core/progress.ts'
import type { TablePart } from './table-parts.ts'

/** Progress in bytes on disk: how long the COPY text will be is not known before it was read. */
export class PartProgress {
  readonly #total: number
  readonly #onProgress: OnProgress | undefined
  /** Bytes of text of the parts that are under way. */
  readonly #started = new Map<TablePart, number>()
  #finishedWeight = 0

  constructor(parts: readonly TablePart[], onProgress: OnProgress | undefined) {
    this.#total = parts.reduce((sum, { weight }) => sum + weight, 0)
    this.#onProgress = onProgress
  }

  advance(part: TablePart, bytes: number): void {
    this.#started.set(part, (this.#started.get(part) ?? 0) + bytes)
    this.#report(part)
  }

  finish(part: TablePart): void {
    this.#started.delete(part)
    this.#finishedWeight += part.weight
    this.#report(part)
  }

  #report(part: TablePart): void {
    if (!this.#onProgress) return
    let done = this.#finishedWeight
    for (const [{ weight }, bytes] of this.#started) done += Math.min(bytes, weight)
    const { schema, name } = part.relation
    this.#onProgress({ phase: 'data', done, total: this.#total, unit: 'bytes', detail: `${schema}.${name}` })
  }
}
