import { type AppError, hasCode } from '../../core/app-error.ts'
import { forEachParallel } from '../../core/parallel.ts'
import type { OnProgress } from '../../core/progress.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import type { StreamRef } from '../chunks/stream-ref.ts'
import type { Repository } from '../repository.ts'
import type { RepositoryReader } from '../repository-reader.ts'
import type { WritingSession } from '../sessions/writing-session.ts'
import type { BackupRecord } from './backup-record.ts'
import type { Manifest } from './manifest.ts'
import { manifestStreams, withStreams } from './manifest-streams.ts'
import { type Backup, readManifest } from './open-backup.ts'

export interface CopiedBackup {
  readonly id: string
  readonly record: BackupRecord
}

const streamsAtOnce = 4

/**
 * Copies backups into another repository, under their ids, with other keys; each counts there as soon as it is whole.
 * Every byte is read once, checked against what was written, and stored unless it is there: what several backups have
 * in common is read for the first of them alone. Yields each with what became of it: one that is damaged does not stop
 * the others. `from` must be opened with a key that reads.
 */
export async function* copyBackups(
  { from, to }: { readonly from: Repository; readonly to: Repository },
  backups: readonly Backup[],
  options: AbortOptions & { readonly onProgress?: OnProgress | undefined } = {},
): AsyncIterable<
  { readonly backup: Backup; readonly copied: CopiedBackup } | { readonly backup: Backup; readonly error: AppError }
> {
  if (backups.length === 0) return
  await using session = await to.startSession(options)
  const copier = new BackupCopier(await from.openReader(options), session, from.id)
  for (const backup of backups) {
    try {
      yield { backup, copied: await copier.copy(backup, options) }
    } catch (error) {
      if (!hasCode(error, 'object-damaged', 'object-missing', 'repository-newer')) throw error
      yield { backup, error }
    }
  }
}

class BackupCopier {
  readonly #reader: RepositoryReader
  readonly #session: WritingSession
  readonly #from: string
  /** What was copied, by what it is in the other repository. */
  readonly #streams = new Map<string, StreamRef>()

  constructor(reader: RepositoryReader, session: WritingSession, from: string) {
    this.#reader = reader
    this.#session = session
    this.#from = from
  }

  async copy(
    { id, record, committedAt }: Backup,
    options: AbortOptions & { readonly onProgress?: OnProgress | undefined },
  ): Promise<CopiedBackup> {
    const before = this.#session.stats
    const manifest = await readManifest(this.#reader, { record }, options)
    const streams = new Map<StreamRef, StreamRef>()
    const total = [...manifestStreams(manifest)].reduce((bytes, { stream }) => bytes + stream.bytes, 0)
    let done = 0
    const copyOne = async ({ stream }: { stream: StreamRef }, { signal }: { signal: AbortSignal }) => {
      const onBytes = (bytes: number) => {
        done += bytes
        options.onProgress?.({ phase: 'copy', unit: 'bytes', done, total, detail: record.database })
      }
      streams.set(stream, await this.#copyStream(stream, { signal, onBytes }))
    }
    await forEachParallel(manifestStreams(manifest), streamsAtOnce, copyOne, options)
    const there = await this.#writeManifest(withStreams(manifest, (stream) => copyOf(streams, stream)))
    await this.#session.store()
    const { storedBytes, newChunks, chunks } = this.#session.stats
    const body: BackupRecord = {
      ...record,
      added: {
        bytes: storedBytes - before.storedBytes,
        chunks: newChunks - before.newChunks,
        ofChunks: chunks - before.chunks,
      },
      manifest: there,
      copied: record.copied ?? { from: this.#from, committedAt: committedAt.toISOString() },
    }
    await this.#session.commit(body, { id })
    return { id, record: body }
  }

  async #copyStream(
    stream: StreamRef,
    { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
  ): Promise<StreamRef> {
    const known = this.#streams.get(keyOf(stream))
    if (known) {
      onBytes(stream.bytes)
      return known
    }
    const writer = this.#session.openStream()
    for await (const piece of this.#reader.read(stream, { signal, lent: true })) {
      await writer.write(piece)
      onBytes(piece.length)
    }
    const copy = await writer.finish()
    this.#streams.set(keyOf(stream), copy)
    return copy
  }

  async #writeManifest(manifest: Manifest): Promise<StreamRef> {
    const writer = this.#session.openStream('meta')
    await writer.write(Buffer.from(JSON.stringify(manifest)))
    return writer.finish()
  }
}

function keyOf({ lists }: StreamRef): string {
  return lists.join()
}

function copyOf(streams: ReadonlyMap<StreamRef, StreamRef>, stream: StreamRef): StreamRef {
  const copy = streams.get(stream)
  if (!copy) throw new Error('a stream was not copied')
  return copy
}
