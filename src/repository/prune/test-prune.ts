import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { stat, utimes } from 'node:fs/promises'
import { z } from 'zod'
import type { ObjectStore } from '../../store/object-store.ts'
import { checkRepository } from '../check/check-repository.ts'
import { forgetBackups } from '../retention/forget-backups.ts'
import { openRepository } from '../open-repository.ts'
import type { Repository } from '../repository.ts'
import type { RepositoryReader } from '../repository-reader.ts'
import { type StreamRef, streamRefSchema } from '../chunks/stream-ref.ts'
import { backUp, readStream, TestRepository } from '../test-repository.ts'
import type { PruneReport } from './prune-report.ts'
import { pruneRepository, type PruneOptions } from './prune-repository.ts'

const hourMs = 3600 * 1000

export const bodySchema = z.object({ stream: streamRefSchema, more: streamRefSchema.optional() })

/** Of what `backUp` commits. */
export async function* streamsOf(record: { readonly body: unknown }, _reader: RepositoryReader) {
  const { stream, more } = bodySchema.parse(record.body)
  yield { name: 'stream', stream }
  if (more) yield { name: 'more', stream: more }
}

/** Rows that do not compress much and are no two alike; the same for the same numbers. */
export function rows(first: number, count: number): Buffer {
  const lines = Array.from({ length: count }, (_, row) => {
    const hash = createHash('sha512').update(String(first + row))
    return `${first + row}\t${hash.digest('base64')}\n`
  })
  return Buffer.from(lines.join(''))
}

interface Kept {
  readonly id: string
  readonly stream: StreamRef
  readonly bytes: Buffer
}

/** A repository whose time passes when it is told to: what is in it becomes older. */
export class PruneBench implements AsyncDisposable {
  readonly test: TestRepository
  /** All that must be read back. */
  readonly kept: Kept[] = []

  private constructor(test: TestRepository) {
    this.test = test
  }

  static async create(options: Parameters<typeof TestRepository.create>[0] = {}): Promise<PruneBench> {
    return new PruneBench(await TestRepository.create(options))
  }

  get repository(): Repository {
    return this.test.repository
  }

  async backUp(...parts: readonly Buffer[]): Promise<Kept> {
    const bytes = Buffer.concat(parts)
    const { id, stream } = await backUp(this.repository, bytes)
    const kept = { id, stream, bytes }
    this.kept.push(kept)
    return kept
  }

  async forget(...backups: readonly Kept[]): Promise<void> {
    await forgetBackups(
      this.repository,
      backups.map(({ id }) => id),
    )
    for (const backup of backups) this.kept.splice(this.kept.indexOf(backup), 1)
  }

  async pass(hours: number): Promise<void> {
    for (const key of await this.test.objects()) {
      const { mtimeMs } = await stat(this.test.path(key))
      const then = new Date(mtimeMs - hours * hourMs)
      await utimes(this.test.path(key), then, then)
    }
  }

  /** As a process that is started now does it. */
  async prune(
    options: Partial<PruneOptions> & { readonly store?: ObjectStore; readonly key?: TestRepository['key'] } = {},
  ): Promise<PruneReport> {
    const { store = this.test.store, key = this.test.key, ...rest } = options
    return pruneRepository(await openRepository(store, { keys: [key] }), { streamsOf, ...rest })
  }

  async storedBytes(): Promise<number> {
    let bytes = 0
    for (const key of await this.test.objects()) bytes += (await stat(this.test.path(key))).size
    return bytes
  }

  async packBytes(): Promise<number> {
    let bytes = 0
    for (const key of [...(await this.test.objects('packs/')), ...(await this.test.objects('meta/'))]) {
      bytes += (await stat(this.test.path(key))).size
    }
    return bytes
  }

  /** Everything that is kept reads back, and nothing is damaged. */
  async assertSound(): Promise<void> {
    const { repository } = await this.test.reopen()
    for (const { stream, bytes } of this.kept) assert.ok((await readStream(repository, stream)).equals(bytes))
    const { damages, checked } = await checkRepository(repository, { level: 3, streamsOf })
    assert.deepEqual([damages, checked.records], [[], this.kept.length])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.test[Symbol.asyncDispose]()
  }
}
