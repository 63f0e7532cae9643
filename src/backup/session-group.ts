import type { AbortOptions } from '../store/object-store.ts'
import type { StreamRef } from '../repository/chunks/stream-ref.ts'
import type { Repository } from '../repository/repository.ts'
import type { WritingSession } from '../repository/sessions/writing-session.ts'
import type { StreamSink } from './write-stream.ts'

/** A repository that takes what is read. */
export interface Member {
  readonly repository: Repository
  readonly session: WritingSession
}

export interface LeftBehind {
  readonly repository: Repository
  readonly error: unknown
}

/**
 * Sessions of several repositories that store the same streams, each under its own keys. One that fails is left behind and
 * the others go on; the failure of the last one is thrown. The slowest decides how fast it goes.
 */
export class SessionGroup implements StreamSink, AsyncDisposable {
  readonly #members = new Set<Member>()
  readonly #leftBehind: LeftBehind[] = []
  /** Of each stream, by what `finish` returned for it: what it is in each repository. */
  readonly #streams = new Map<StreamRef, ReadonlyMap<Member, StreamRef>>()
  readonly #signal: AbortSignal | undefined

  private constructor({ signal }: AbortOptions) {
    this.#signal = signal
  }

  static async start(repositories: readonly Repository[], options: AbortOptions): Promise<SessionGroup> {
    const group = new SessionGroup(options)
    for (const repository of repositories) {
      try {
        group.#members.add({ repository, session: await repository.startSession(options) })
      } catch (error) {
        group.#leave(repository, error)
      }
    }
    group.#throwIfStopped()
    return group
  }

  /** Repositories that failed, the first failure of each. */
  get leftBehind(): readonly LeftBehind[] {
    return this.#leftBehind
  }

  openStream(kind: 'data' | 'meta'): ReturnType<StreamSink['openStream']> {
    const writers = new Map([...this.#members].map((member) => [member, member.session.openStream(kind)]))
    return {
      write: async (bytes) => {
        await this.each((member) => writers.get(member)?.write(bytes))
      },
      finish: async () => {
        const streams = new Map<Member, StreamRef>()
        await this.each(async (member) => {
          const stream = await writers.get(member)?.finish()
          if (stream) streams.set(member, stream)
        })
        const [stream] = streams.values()
        if (!stream) throw new Error('a stream was finished nowhere')
        this.#streams.set(stream, streams)
        return stream
      },
    }
  }

  /** What a stream of this group, as `finish` returned it, is in the repository of a member. */
  streamOf(member: Member, stream: StreamRef): StreamRef {
    const there = this.#streams.get(stream)?.get(member)
    if (!there) throw new Error('a stream is of another group')
    return there
  }

  /** Has all that are still there do the same at once, and returns what those said that did it. */
  async each<Result>(work: (member: Member) => Promise<Result> | undefined): Promise<Map<Member, Result>> {
    const results = new Map<Member, Result>()
    await Promise.all(
      [...this.#members].map(async (member) => {
        try {
          const result = await work(member)
          if (result !== undefined) results.set(member, result)
        } catch (error) {
          this.#members.delete(member)
          this.#leave(member.repository, error)
          await member.session[Symbol.asyncDispose]()
        }
      }),
    )
    this.#throwIfStopped()
    return results
  }

  /** Stops what is under way. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members].map(({ session }) => session[Symbol.asyncDispose]()))
  }

  #leave(repository: Repository, error: unknown): void {
    if (!this.#leftBehind.some((left) => left.repository === repository)) this.#leftBehind.push({ repository, error })
  }

  #throwIfStopped(): void {
    this.#signal?.throwIfAborted()
    if (this.#members.size === 0) throw this.#leftBehind.at(-1)?.error
  }
}
