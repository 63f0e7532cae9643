import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '../../core/app-error.ts'
import { randomNumbers } from '../../core/test-random-numbers.ts'
import type { AbortOptions, ObjectInfo, ObjectStore, ReadObject } from '../../store/object-store.ts'

const minuteMs = 60 * 1000
const hourMs = 60 * minuteMs
const pageObjects = 8

/** A request to the store that is on its way, or a sleep. */
interface Request {
  readonly host: Host | undefined
  /** Nothing of it happens before. */
  readonly dueMs: number
  readonly happen: () => void
}

/** Objects, a clock, and requests that happen in any order, late, twice, or not at all, as the seed says. */
export class World {
  readonly random: () => number
  nowMs = Date.parse('2026-01-01T00:00:00Z')
  readonly #objects = new Map<string, { readonly bytes: Buffer; readonly modifiedAt: Date }>()
  #requests: Request[] = []
  /** Whose code runs, and whose clocks it sees. */
  running: Host | undefined
  readonly #countsSeconds: boolean
  requests = 0
  removedPacks = 0

  constructor(seed: number) {
    this.random = randomNumbers(seed)
    this.#countsSeconds = this.random() < 0.3
  }

  chance(share: number): boolean {
    return this.random() < share
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.random() * items.length)]
  }

  /** By the store's clock. */
  now(): Date {
    return new Date(this.#countsSeconds ? Math.floor(this.nowMs / 1000) * 1000 : this.nowMs)
  }

  /** Runs `work` as a process on a machine of its own. */
  start(
    work: (host: Host) => Promise<void>,
    options: { readonly isSteady?: boolean; readonly afterMs?: number } = {},
  ): Host {
    const host = new Host(this, options.isSteady ?? false)
    host.run(work, options.afterMs ?? 0)
    return host
  }

  /** Lets one request happen, and all that follows from it. False if there is none left. */
  async step(): Promise<boolean> {
    await this.#settle()
    const due = this.#requests.filter(({ dueMs }) => dueMs <= this.nowMs)
    const request = this.pick(due) ?? this.#earliest()
    if (!request) return false
    this.requests++
    this.nowMs = Math.max(this.nowMs, request.dueMs) + this.random() * (this.chance(0.02) ? 30 * minuteMs : 500)
    this.#requests = this.#requests.filter((other) => other !== request)
    if (request.host?.isDead === true) return true
    this.running = request.host
    request.happen()
    await this.#settle()
    return true
  }

  /** Until nothing is left to happen; `onStep` is called in between. */
  async finish(onStep?: () => Promise<void>): Promise<void> {
    while (await this.step()) await onStep?.()
  }

  /** Until whoever runs waits for the store, or is done. */
  async #settle(): Promise<void> {
    const host = this.running
    for (let turn = 0; turn < 2; turn++) await nextTurn()
    while (host && !host.isDone && !host.isDead && !this.#requests.some((request) => request.host === host))
      await nextTurn()
  }

  #earliest(): Request | undefined {
    const [first, ...others] = this.#requests
    return first && others.reduce((earliest, other) => (other.dueMs < earliest.dueMs ? other : earliest), first)
  }

  later(host: Host | undefined, delayMs: number, happen: () => void): void {
    this.#requests.push({ host, dueMs: this.nowMs + delayMs, happen })
  }

  /** Mostly at once; now and then after hours, or days. */
  delayMs(share = 0.01): number {
    if (!this.chance(share)) return this.random() * 2000
    return this.random() * (this.chance(0.5) ? 3 * hourMs : 60 * hourMs)
  }

  put(key: string, bytes: Buffer): void {
    this.#objects.set(key, { bytes, modifiedAt: this.now() })
  }

  get(key: string): Buffer {
    const object = this.#objects.get(key)
    if (object) return object.bytes
    throw new AppError('object-missing', `${key} is missing`)
  }

  delete(key: string): void {
    if (this.#objects.delete(key) && /^(packs|meta)\//.test(key)) this.removedPacks++
  }

  /** To look at the store while nothing happens. */
  get stillStore(): ObjectStore {
    return new SimulatedStore(async (effect) => effect(), this)
  }

  page(prefix: string, after: string, most: number): ObjectInfo[] {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted()
    return keys.slice(0, most).flatMap((key) => {
      const object = this.#objects.get(key)
      return object ? [{ key, sizeBytes: object.bytes.length, modifiedAt: object.modifiedAt }] : []
    })
  }
}

/** A process and its machine. It may die at any request, and its clock is wrong. */
export class Host {
  readonly store: ObjectStore
  readonly #world: World
  readonly #isSteady: boolean
  readonly #skewMs: number
  isDone = false
  isDead = false
  /** What its work ended with. */
  error: unknown

  constructor(world: World, isSteady: boolean) {
    this.#world = world
    this.#isSteady = isSteady
    this.#skewMs = isSteady || world.chance(0.7) ? 0 : (world.random() - 0.5) * 100 * hourMs
    this.store = new SimulatedStore((effect, options) => this.request(effect, options), world)
  }

  get wallMs(): number {
    return this.#world.nowMs + this.#skewMs
  }

  run(work: (host: Host) => Promise<void>, afterMs: number): void {
    this.#world.later(this, afterMs, () => {
      work(this)
        .catch((error: unknown) => (this.error = error))
        .finally(() => (this.isDone = true))
    })
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.later(this, ms, resolve))
  }

  /** Sends a request to the store. Its effect, and the reply, may come late, come twice, or be lost. */
  request<Reply>(effect: () => Reply, options: RequestOptions): Promise<Reply> {
    const world = this.#world
    return new Promise<Reply>((resolve, reject) => {
      const happen = () => {
        if (!this.#isSteady && world.chance(0.004)) this.isDead = true // before the request, or after it
        if (this.isDead && world.chance(0.5)) return
        const isLost = !this.#isSteady && world.chance(0.004)
        if (isLost && world.chance(0.5)) return reject(lost())
        let reply: Reply
        try {
          reply = effect()
        } catch (error) {
          return reject(error)
        }
        // a proxy repeats it
        if (!this.#isSteady && options.changes && world.chance(0.01)) {
          world.later(undefined, world.random() * 10 * minuteMs, effect)
        }
        if (this.isDead) return
        if (isLost) return reject(lost())
        const replyMs = this.#isSteady || !world.chance(0.005) ? 0 : world.delayMs()
        if (replyMs === 0) resolve(reply)
        else world.later(this, replyMs, () => resolve(reply))
      }
      world.later(this, this.#isSteady ? 0 : world.delayMs(options.isPatient ? 0.1 : 0.01), happen)
    })
  }
}

function lost(): AppError {
  return new AppError('store-failed', 'the connection was lost')
}

interface RequestOptions {
  readonly changes: boolean
  /** It may come days late, which does no harm to what is right. */
  readonly isPatient?: boolean
}

type Send = <Reply>(effect: () => Reply, options: RequestOptions) => Promise<Reply>

class SimulatedStore implements ObjectStore {
  readonly location = 'a simulated store'
  readonly #send: Send
  readonly #world: World

  constructor(send: Send, world: World) {
    this.#send = send
    this.#world = world
  }

  put(key: string, parts: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(parts)
    return this.#send(() => this.#world.put(key, bytes), { changes: true })
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
      { changes: false },
    )
  }

  delete(key: string): Promise<void> {
    return this.#send(() => this.#world.delete(key), { changes: true, isPatient: true })
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo> {
    for (let after = ''; ;) {
      const page = await this.#send(() => this.#world.page(prefix, after, pageObjects), { changes: false })
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
        if (!(error instanceof AppError && error.code === 'object-missing')) throw error
      }
    }
  }

  async removeAbandoned(): Promise<number> {
    return 0
  }

  now(): Promise<Date> {
    return this.#send(() => this.#world.now(), { changes: false })
  }
}
