import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DirectoryStore } from '../store/directory/directory-store.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { createRepository } from './create-repository.ts'
import type { RepositoryKey } from './keys/key-file.ts'
import type { PackKind } from './objects/object-keys.ts'
import { openRepository } from './open-repository.ts'
import type { Repository } from './repository.ts'
import type { StreamRef } from './chunks/stream-ref.ts'
import type { WritingSession } from './sessions/writing-session.ts'

/** A repository in a temporary directory, for tests. */
export class TestRepository implements AsyncDisposable {
  readonly directory: string
  readonly store: DirectoryStore
  readonly repository: Repository
  readonly key: RepositoryKey

  private constructor(directory: string, store: DirectoryStore, made: { repository: Repository; key: RepositoryKey }) {
    this.directory = directory
    this.store = store
    this.repository = made.repository
    this.key = made.key
  }

  /** With small chunks, so that little data makes many. */
  static async create(options: Parameters<typeof createRepository>[1] = {}): Promise<TestRepository> {
    const directory = await mkdtemp('/tmp/pgrevive-repository-')
    const store = await DirectoryStore.create(directory)
    return new TestRepository(directory, store, await createRepository(store, { averageChunkBytes: 4096, ...options }))
  }

  /** Keys of all objects that begin with `prefix`. */
  async objects(prefix = ''): Promise<string[]> {
    const entries = await readdir(this.directory, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.directory.length + 1))
      .filter((key) => key.startsWith(prefix))
      .toSorted()
  }

  path(key: string): string {
    return join(this.directory, key)
  }

  /** As disks do it: no time tells of it. */
  async flipBit(key: string, position?: number): Promise<void> {
    const { atime, mtime } = await stat(this.path(key))
    const bytes = await readFile(this.path(key))
    const index = position ?? bytes.length >> 1
    bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index)
    await writeFile(this.path(key), bytes)
    await utimes(this.path(key), atime, mtime)
  }

  async truncate(key: string, toBytes?: number): Promise<void> {
    const bytes = await readFile(this.path(key))
    await writeFile(this.path(key), bytes.subarray(0, toBytes ?? bytes.length - 1))
  }

  async remove(...keys: string[]): Promise<void> {
    for (const key of keys) await rm(this.path(key))
  }

  /** As another process sees it. */
  async reopen(): Promise<{ readonly repository: Repository }> {
    return { repository: await openRepository(this.store, { keys: [this.key] }) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true })
  }
}

/** Writes one stream in pieces of `pieceBytes`. */
export async function writeStream(
  session: WritingSession,
  bytes: Uint8Array,
  options: { readonly kind?: PackKind; readonly pieceBytes?: number } = {},
): Promise<StreamRef> {
  const stream = session.openStream(options.kind ?? 'data')
  const step = options.pieceBytes ?? 10_000
  for (let start = 0; start < bytes.length; start += step) await stream.write(bytes.subarray(start, start + step))
  return stream.finish()
}

export async function readStream(repository: Repository, stream: StreamRef): Promise<Buffer> {
  const reader = await repository.openReader()
  const pieces: Uint8Array[] = []
  for await (const piece of reader.read(stream)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** One session with one stream, committed. */
export async function backUp(
  repository: Repository,
  bytes: Uint8Array,
): Promise<{ readonly id: string; readonly stream: StreamRef; readonly stats: WritingSession['stats'] }> {
  await using session = await repository.startSession()
  const stream = await writeStream(session, bytes)
  const { id } = await session.commit({ stream })
  return { id, stream, stats: session.stats }
}

/** The store with some of its calls replaced. */
export function storeWith(store: ObjectStore, changes: Partial<ObjectStore>): ObjectStore {
  return {
    location: store.location,
    put: (...args) => store.put(...args),
    get: (...args) => store.get(...args),
    delete: (...args) => store.delete(...args),
    list: (...args) => store.list(...args),
    readFolder: (...args) => store.readFolder(...args),
    removeAbandoned: (...args) => store.removeAbandoned(...args),
    now: (...args) => store.now(...args),
    ...changes,
  }
}
