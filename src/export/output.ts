import { randomBytes } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { mkdir, open, realpath, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { AppError, messageOf } from '../core/app-error.ts'
import { createTemporaryDirectory, type TemporaryDirectory } from '../core/temporary-directory.ts'
import { removeLeftovers } from '../postgres/server/leftovers.ts'

interface WriteOptions {
  readonly signal?: AbortSignal | undefined
}

/** Each is used only until the next one is asked for. */
export type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/**
 * A file or directory that gets its name only when all of it is there and durable; until then it lies beside it under a
 * name that says so. Disposal without `commit` removes it, and so does a later run after this one was killed.
 */
export class Output implements AsyncDisposable {
  readonly temporary: string
  readonly #path: string
  readonly #owner: TemporaryDirectory

  private constructor(path: string, temporary: string, owner: TemporaryDirectory) {
    this.#path = path
    this.temporary = temporary
    this.#owner = owner
  }

  /** Throws `output-exists`, and `output-failed` where nothing can be. Removes what killed runs left. */
  static async create(path: string): Promise<Output> {
    await removeLeftovers()
    await refuseExisting(path)
    const folder = await orFailure(path, () => realpath(dirname(path)))
    const temporary = join(folder, `${basename(path)}.unfinished-${randomBytes(4).toString('hex')}`)
    await refuseExisting(temporary) // where one can not look, nothing could be removed either
    await using owned = new AsyncDisposableStack()
    const owner = owned.use(await createTemporaryDirectory('export'))
    await owner.claim(temporary)
    owned.move()
    return new Output(path, temporary, owner)
  }

  async commit(): Promise<void> {
    await refuseExisting(this.#path)
    await orFailure(this.#path, async () => {
      await rename(this.temporary, this.#path)
      await syncDirectory(dirname(this.#path))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owner[Symbol.asyncDispose]()
  }
}

async function refuseExisting(path: string): Promise<void> {
  const found = await orFailure(path, async () => lstatSync(path, { throwIfNoEntry: false }))
  if (!found) return
  throw new AppError('output-exists', `${path} exists already`, {
    hint: 'nothing was changed; name another place with --output, or remove what is there',
  })
}

/** Writes a new file, durably, that nobody else may read. In the end `head`, if given, says what its first bytes are to be instead. */
export async function writeFile(
  path: string,
  pieces: Pieces,
  { signal, head }: WriteOptions & { readonly head?: () => Buffer },
): Promise<void> {
  await using file = await orFailure(path, () => open(path, 'wx', 0o600))
  for await (const piece of pieces) {
    signal?.throwIfAborted()
    await orFailure(path, () => file.writeFile(piece))
  }
  await orFailure(path, async () => {
    const bytes = head?.()
    if (bytes) await file.write(bytes, 0, bytes.length, 0)
    await file.sync()
  })
}

/** Calls `fill` with a new directory that nobody else may open, and makes durable what it left there. */
export async function writeDirectory(path: string, fill: (path: string) => Promise<void>): Promise<void> {
  await orFailure(path, () => mkdir(path, { mode: 0o700 }))
  await fill(path)
  await orFailure(path, () => syncDirectory(path))
}

/** Leaves the stream open. */
export async function writeStream(stream: Writable, pieces: Pieces, { signal }: WriteOptions): Promise<void> {
  for await (const piece of pieces) {
    signal?.throwIfAborted()
    try {
      await writePiece(stream, piece)
    } catch (error) {
      throw new AppError('output-failed', `stdout can not be written: ${messageOf(error)}`, {
        cause: error,
        hint: 'what was written is not whole: whoever read it must not rely on it',
      })
    }
  }
}

/** Resolves when the stream has taken the piece, and needs its memory no longer. */
export async function writePiece(stream: Writable, piece: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  stream.write(piece, (error) => (error ? reject(error) : resolve()))
  return promise
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}

async function orFailure<Result>(place: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw new AppError('output-failed', `${place} can not be written: ${messageOf(error)}`, {
      cause: error,
      hint: 'nothing half-written keeps the name; see to the place, its permissions and its free space, and export again',
    })
  }
}
