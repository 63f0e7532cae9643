import { inContext } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import { type LargeObjectContents, readLargeObjects } from '../postgres/copy/large-object-rows.ts'
import type { Manifest, ManifestTable } from '../repository/backups/manifest.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

/** What psql and pg_dump's archives have behind the rows of a table. */
const endOfRows = Buffer.from('\\.\n\n\n')

/** The rows and large objects of a plan, read from the repository as they are wanted. */
export class ExportData {
  readonly #reader: RepositoryReader
  readonly #manifest: Manifest
  readonly #onProgress: OnProgress | undefined
  readonly #total: number
  #done = 0

  constructor(reader: RepositoryReader, manifest: Manifest, plan: RestorePlan, onProgress: OnProgress | undefined) {
    this.#reader = reader
    this.#manifest = manifest
    this.#onProgress = onProgress
    const objects = plan.largeObjects.length === 0 ? 0 : (manifest.largeObjects?.bytes ?? 0)
    this.#total = objects + plan.tables.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** COPY text with its end. Errors name the table. */
  async *rows({ schema, name, parts }: ManifestTable, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const detail = `${schema}.${name}`
    try {
      for (const part of parts) yield* this.#counted(this.#reader.read(part, { ...options, lent: true }), detail)
    } catch (error) {
      throw inContext(`table ${detail}`, error)
    }
    yield endOfRows
  }

  async *largeObjects(options: ReadOptions): AsyncGenerator<LargeObjectContents> {
    const stored = this.#manifest.largeObjects
    if (!stored) return
    try {
      yield* readLargeObjects(this.#counted(this.#reader.read(stored.contents, options), 'large objects'))
    } catch (error) {
      throw inContext('large objects', error)
    }
  }

  async *#counted(source: AsyncIterable<Uint8Array>, detail: string): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      this.#done += piece.length
      this.#onProgress?.({ phase: 'export', unit: 'bytes', done: this.#done, total: this.#total, detail })
      yield piece
    }
  }
}
