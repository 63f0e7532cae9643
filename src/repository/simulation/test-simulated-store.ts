import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions, ObjectInfo, ObjectStore, ReadObject } from '../../store/object-store.ts'
import type { RequestOptions, World } from './test-world.ts'

const pageObjects = 8

type Send = <Reply>(effect: () => Reply, options: RequestOptions) => Promise<Reply>

/** The store of a world, as the host sees it whose requests `send` takes. */
export class SimulatedStore implements ObjectStore {
  readonly location = 'a simulated store'
  readonly #send: Send
  readonly #world: World

  constructor(send: Send, world: World) {
    this.#send = send
    this.#world = world
  }

  put(key: string, parts: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(parts)
    return this.#send(() => this.#world.put(key, bytes), { what: `put ${key}`, changes: true })
  }

  get(
    key: string,
    options: { readonly range?: { readonly offset: number; readonly length: number } } = {},
  ): Promise<Buffer> {
    return this.#send(
      () => {
        const bytes = this.#world.get(key)
        const { offset, length } = options.range ?? { offset: 0, length: bytes.length }
        return Buffer.from(bytes.subarray(offset, offset + length))
      },
      { what: `get ${key}` },
    )
  }

  delete(key: string): Promise<void> {
    return this.#send(() => this.#world.delete(key), { what: `delete ${key}`, changes: true, isPatient: true })
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo> {
    for (let after = ''; ;) {
      const page = await this.#send(() => this.#world.page(prefix, after, pageObjects), { what: `list ${prefix}` })
      yield* page
      if (page.length < pageObjects) return
      after = page.at(-1)?.key ?? ''
    }
  }

  async *readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<ReadObject[]> {
    for await (const info of this.list(prefix)) {
      if (!options.wanted(info.key)) continue
      try {
        yield [{ ...info, bytes: await this.get(info.key) }]
      } catch (error) {
        if (!hasCode(error, 'object-missing')) throw error
      }
    }
  }

  async removeAbandoned(): Promise<number> {
    return 0
  }

  now(): Promise<Date> {
    return this.#send(() => this.#world.now(), { what: 'now' })
  }
}
