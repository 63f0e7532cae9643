import { setImmediate as nextTurn } from 'node:timers/promises'
import { AppError } from '../../core/app-error.ts'
import { randomNumbers } from '../../core/test-random-numbers.ts'
import type { ObjectInfo, ObjectStore } from '../../store/object-store.ts'
import { SimulatedStore } from './test-simulated-store.ts'

export const beginningMs = Date.parse('2026-01-01T00:00:00Z')
const minuteMs = 60 * 1000
const hourMs = 60 * minuteMs

/** A request to the store that is on its way, or a sleep. */
interface Request {
  readonly host: Host | undefined
  /** Nothing of it happens before. */
  readonly dueMs: number
  readonly happen: () => void
}

export interface WorldObject {
  readonly bytes: Buffer
  readonly modifiedAt: Date
}

/** Is told of what changes in the store, as it happens. */
export interface Witness {
  put(key: string, object: WorldObject): void
  deleted(key: string): void
}

/** Objects, a clock, and requests that happen in any order, late, twice, or not at all, as the seed says. */
export class World {
  readonly random: () => number
  nowMs = beginningMs
  readonly objects = new Map<string, WorldObject>()
  #sortedKeys: readonly string[] | undefined
  witness: Witness | undefined
  /** Is told of all that happens, in words. */
  tell: ((line: string) => void) | undefined
  #requests: Request[] = []
  /** Whose code runs, and whose clocks it sees. */
  running: Host | undefined
  readonly #countsSeconds: boolean
  requests = 0
  #hosts = 0

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
    options: { readonly isSteady?: boolean; readonly afterMs?: number; readonly name?: string } = {},
  ): Host {
    const host = new Host(this, options.isSteady ?? false, `${++this.#hosts} ${options.name ?? ''}`)
    host.run(work, options.afterMs ?? 0)
    return host
  }

  /** Until nothing is left to happen, or `isOver` says so. */
  async finish(isOver = () => false): Promise<void> {
    while (!isOver() && (await this.#step()));
  }

  /** Lets one request happen, and all that follows from it. False if there is none left. */
  async #step(): Promise<boolean> {
    const due = this.#requests.filter(({ dueMs }) => dueMs <= this.nowMs)
    const request = this.pick(due) ?? this.#earliest()
    if (!request) return false
    this.requests++
    this.nowMs = Math.max(this.nowMs, request.dueMs) + this.random() * (this.chance(0.02) ? 30 * minuteMs : 500)
    this.#requests.splice(this.#requests.indexOf(request), 1)
    const { host } = request
    if (host) host.waiting--
    if (host?.isDead === true) return true
    this.running = host
    request.happen()
    if (!host) return true
    // until it waits for the store again, or is done
    do await nextTurn()
    while (!host.isDone && !host.isDead && host.waiting === 0)
    return true
  }

  #earliest(): Request | undefined {
    const [first, ...others] = this.#requests
    return first && others.reduce((earliest, other) => (other.dueMs < earliest.dueMs ? other : earliest), first)
  }

  later(host: Host | undefined, delayMs: number, happen: () => void): void {
    if (host) host.waiting++
    this.#requests.push({ host, dueMs: this.nowMs + delayMs, happen })
  }

  /** Mostly at once; now and then after hours, or days. */
  delayMs(share = 0.01): number {
    if (!this.chance(share)) return this.random() * 2000
    return this.random() * (this.chance(0.5) ? 3 * hourMs : 60 * hourMs)
  }

  put(key: string, bytes: Buffer): void {
    const object = { bytes, modifiedAt: this.now() }
    if (!this.objects.has(key)) this.#sortedKeys = undefined
    this.objects.set(key, object)
    this.witness?.put(key, object)
  }

  get(key: string): Buffer {
    const object = this.objects.get(key)
    if (object) return object.bytes
    throw new AppError('object-missing', `${key} is missing`)
  }

  delete(key: string): void {
    if (!this.objects.delete(key)) return
    this.#sortedKeys = undefined
    this.witness?.deleted(key)
  }

  /** To look at the store while nothing happens. */
  get stillStore(): ObjectStore {
    return new SimulatedStore(async (effect) => effect(), this)
  }

  page(prefix: string, after: string, most: number): ObjectInfo[] {
    this.#sortedKeys ??= [...this.objects.keys()].toSorted()
    const keys = this.#sortedKeys.filter((key) => key.startsWith(prefix) && key > after)
    return keys.slice(0, most).flatMap((key) => {
      const object = this.objects.get(key)
      return object ? [{ key, sizeBytes: object.bytes.length, modifiedAt: object.modifiedAt }] : []
    })
  }
}

export interface RequestOptions {
  readonly what: string
  readonly changes?: boolean
  /** It may come days late, which does no harm to what is right. */
  readonly isPatient?: boolean
}

/** A process and its machine. It may die at any request, and its clock is wrong. */
export class Host {
  readonly store: ObjectStore
  readonly #world: World
  readonly #isSteady: boolean
  readonly #skewMs: number
  readonly #name: string
  /** Requests and sleeps that have not come to an end. */
  waiting = 0
  isDone = false
  isDead = false
  /** What its work ended with. */
  error: unknown

  constructor(world: World, isSteady: boolean, name: string) {
    this.#world = world
    this.#name = name
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

  tell(line: string): void {
    const hours = ((this.#world.nowMs - beginningMs) / hourMs).toFixed(3)
    this.#world.tell?.(`${hours} h  ${this.#name.padEnd(12)} ${line}`)
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
        if (this.isDead) this.tell('dies')
        if (this.isDead && world.chance(0.5)) return
        const isLost = !this.#isSteady && world.chance(0.004)
        if (isLost && world.chance(0.5)) return reject(lost())
        this.tell(`${options.what}${isLost ? ', reply lost' : ''}`)
        let reply: Reply
        try {
          reply = effect()
        } catch (error) {
          return reject(error)
        }
        // a proxy repeats it
        if (!this.#isSteady && options.changes === true && world.chance(0.01)) {
          world.later(undefined, world.random() * 10 * minuteMs, () => {
            this.tell(`${options.what}, again`)
            effect()
          })
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
