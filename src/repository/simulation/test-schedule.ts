import { createHash } from 'node:crypto'
import { AppError, hasCode } from '../../core/app-error.ts'
import { generateIdentity } from '../keys/age.ts'
import { createRepository } from '../create-repository.ts'
import { forgetBackups } from '../retention/forget-backups.ts'
import { Inventory } from '../packs/inventory.ts'
import type { RepositoryKey } from '../keys/key-file.ts'
import { packNameOf, packPrefix, sealedKey } from '../objects/object-keys.ts'
import { openRepository } from '../open-repository.ts'
import { pruneRepository } from '../prune/prune-repository.ts'
import { PackUses } from '../prune/pack-uses.ts'
import { ReachableChunks } from '../prune/reachable-chunks.ts'
import { bodySchema, streamsOf } from '../prune/test-prune.ts'
import { Repository } from '../repository.ts'
import { listSealed } from '../objects/sealed-object.ts'
import { storeWith, writeStream } from '../test-repository.ts'
import { TombstoneBook } from '../sessions/tombstones.ts'
import type { ObjectStore, ReadObject } from '../../store/object-store.ts'
import { inWorld } from './test-clocks.ts'
import { type Host, World } from './test-world.ts'

const hourMs = 3600 * 1000

await generateIdentity() // loads what is loaded when it is first needed, which takes real time

/** Part of what keeps backups safe, taken out, for the simulation to show that it finds out. */
export type Mutant = 'no commit check' | 'no grace' | 'no second look at the records' | 'tombstones revoked'

export interface Violation {
  readonly backup: string
  readonly problem: string
}

export interface ScheduleOutcome {
  readonly requests: number
  readonly committed: number
  /** Sessions that were about to rely on what may be removed. */
  readonly refused: number
  readonly rescuedPacks: number
  readonly removedPacks: number
  readonly violations: readonly Violation[]
}

/** What sessions write, a stream of one chunk each. */
const blocks = Array.from({ length: 10 }, (_, number) => {
  const digest = createHash('sha512').update(`block ${number}`).digest()
  return Buffer.concat(
    Array.from({ length: 12 }, (_, part) => createHash('sha512').update(digest).update(`${part}`).digest()),
  )
})

const constant = Buffer.alloc(500)

/** Weeks of sessions, prunes and people who forget, all at once, on machines that stall and die. */
export async function runSchedule(seed: number, mutant?: Mutant): Promise<ScheduleOutcome> {
  const schedule = new Schedule(new World(seed), mutant)
  return schedule.run()
}

class Schedule {
  readonly #world: World
  readonly #mutant: Mutant | undefined
  #key: RepositoryKey | undefined
  /** Of sessions that were told that they are committed. */
  readonly #promised = new Set<string>()
  readonly #bugs: Violation[] = []
  readonly #counts = { refused: 0, rescuedPacks: 0, removedPacks: 0 }
  /** What an earlier look at the records saw. */
  #staleRecords: { readonly read: readonly ReadObject[]; readonly atMs: number } | undefined

  constructor(world: World, mutant: Mutant | undefined) {
    this.#world = world
    this.#mutant = mutant
  }

  async run(): Promise<ScheduleOutcome> {
    const world = this.#world
    const violations: Violation[] = []
    await inWorld(world, async () => {
      await this.#steadily(async (host) => {
        this.#key = (await createRepository(host.store, { averageChunkBytes: 4096 })).key
      })
      // one that nobody forgets: without any, prunes refuse to go on
      await this.#steadily((host) => this.#backUp(host, constant))
      let seen = 0
      const look = async () => {
        const changes = world.removedPacks + this.#promised.size
        if (changes > seen && violations.length === 0) violations.push(...(await this.#examine()))
        seen = changes
      }
      for (const [round, block] of blocks.entries()) this.#planRound(block, round * 30 * hourMs)
      await world.finish(look)
      // whatever was prepared to go wrong
      for (let more = 0; more < 3; more++) {
        world.nowMs += 30 * hourMs
        await this.#steadily((host) => this.#prune(host))
        await look()
      }
    })
    return {
      requests: world.requests,
      committed: this.#promised.size,
      ...this.#counts,
      violations: [...violations, ...this.#bugs],
    }
  }

  /** Machines fail, and what they ask for may be gone; but nothing else is wrong with them. */
  #examineFailure(error: unknown): void {
    if (hasCode(error, 'session-too-old')) this.#counts.refused++
    if (error instanceof AppError) return
    this.#bugs.push({
      backup: 'none',
      problem: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  }

  /**
   * A block is stored; when that is old enough to be condemned, others back it up again, and take their time, while the first
   * is forgotten and prunes come and go.
   */
  #planRound(block: Buffer, startMs: number): void {
    const world = this.#world
    const plan = (afterHours: number, withinHours: number, work: (host: Host) => Promise<void>) => {
      const afterMs = startMs + (afterHours + world.random() * withinHours) * hourMs
      const failed = (error: unknown) => this.#examineFailure(error)
      world.start((host) => work(host).catch(failed), { afterMs })
    }
    // two at once store it twice
    for (let count = Math.ceil(world.random() * 2); count > 0; count--)
      plan(0, 0.001, (host) => this.#backUp(host, block))
    for (let count = Math.ceil(world.random() * 2); count > 0; count--) {
      plan(50, 24, (host) => this.#backUp(host, block, world.random() * 50 * hourMs))
    }
    plan(50, 30, (host) => this.#forget(host))
    for (let count = 0; count < 4; count++) plan(50, 60, (host) => this.#prune(host))
    if (world.chance(0.7)) plan(50, 100, (host) => this.#condemnAnything(host))
    if (this.#mutant === 'tombstones revoked')
      for (let count = 0; count < 3; count++) plan(50, 60, (host) => this.#revoke(host))
  }

  async #open(store: ObjectStore): Promise<Repository> {
    return openRepository(store, { keys: this.#key ? [this.#key] : [] })
  }

  async #backUp(host: Host, block: Buffer, pauseMs = 0): Promise<void> {
    const world = this.#world
    let repository = await this.#open(host.store)
    if (this.#mutant === 'no commit check') {
      const { context } = repository
      const tombstones = new RememberingBook(context.store, context.keys.metadata)
      repository = new Repository({ ...context, tombstones }, repository.key)
    }
    await using session = await repository.startSession()
    const stream = await writeStream(session, block)
    if (pauseMs > 0) await host.sleep(pauseMs)
    const another = world.chance(0.3) ? world.pick(blocks) : undefined
    const more = another && (await writeStream(session, another))
    const { id } = await session.commit({ stream, ...(more && { more }) })
    this.#promised.add(id)
  }

  async #prune(host: Host): Promise<void> {
    let repository = await this.#open(host.store)
    const { context } = repository
    if (this.#mutant === 'no grace') {
      repository = new Repository({ ...context, config: { ...context.config, graceHours: 0 } }, repository.key)
    }
    if (this.#mutant === 'no second look at the records') {
      const store = storeWith(host.store, { readFolder: (...args) => this.#readStale(host.store, ...args) })
      repository = new Repository({ ...context, store }, repository.key)
    }
    const { removed, rescued } = await pruneRepository(repository, {
      streamsOf,
      maxRepackBytes: this.#world.chance(0.5) ? 1e9 : 1,
    })
    this.#counts.removedPacks += removed.packs
    this.#counts.rescuedPacks += rescued.packs
  }

  /** Records as they were up to thirty hours ago. */
  async *#readStale(
    store: ObjectStore,
    ...args: Parameters<ObjectStore['readFolder']>
  ): AsyncIterable<readonly ReadObject[]> {
    const read = (await Array.fromAsync(store.readFolder(...args))).flat()
    const { nowMs } = this.#world
    if (!this.#staleRecords || nowMs - this.#staleRecords.atMs > 30 * hourMs) this.#staleRecords = { read, atMs: nowMs }
    yield this.#staleRecords.read
  }

  async #forget(host: Host): Promise<void> {
    const repository = await this.#open(host.store)
    const ids: string[] = []
    for await (const { id } of listSealed(host.store, 'record')) ids.push(id)
    const forgotten = ids.slice(1).filter(() => this.#world.chance(0.7))
    await forgetBackups(repository, forgotten)
  }

  /** Tombstones may lie: nothing that is needed goes for it. */
  async #condemnAnything(host: Host): Promise<void> {
    const repository = await this.#open(host.store)
    const names: string[] = []
    for (const kind of ['data', 'meta'] as const) {
      for await (const { key } of host.store.list(packPrefix(kind))) names.push(packNameOf(kind, key) ?? '')
    }
    const name = this.#world.pick(names)
    if (name !== undefined) await repository.condemn([name])
  }

  /** Takes back what was said of a pack that is needed, instead of copying it. */
  async #revoke(host: Host): Promise<void> {
    const repository = await this.#open(host.store)
    const { context } = repository
    const records = await Array.fromAsync(repository.records())
    const inventory = await Inventory.load(context, {})
    const reachable = await ReachableChunks.find(context, inventory, records, { streamsOf })
    const uses = new PackUses(inventory, reachable)
    const needed = [...inventory.packs.entries()].filter(
      ([number, { state, condemned }]) => state === 'stored' && condemned && uses.onlyCopies(number).length > 0,
    )
    const [, pack] = this.#world.pick(needed) ?? []
    for await (const { id, packs } of context.tombstones.tombstones()) {
      if (pack?.name !== undefined && packs.includes(pack.name)) await host.store.delete(sealedKey('gc', id))
    }
  }

  /** A backup that counts, or that somebody was told does, reads back. */
  async #examine(): Promise<Violation[]> {
    const violations: Violation[] = []
    const repository = await this.#open(this.#world.stillStore)
    const reader = await repository.openReader()
    for await (const record of repository.records()) {
      if (record.state === 'damaged' || (record.state === 'unverified' && !this.#promised.has(record.id))) continue
      const { stream, more } = bodySchema.parse(record.body)
      for (const one of more ? [stream, more] : [stream]) {
        try {
          const bytes = Buffer.concat(await Array.fromAsync(reader.read(one)))
          if (blocks.some((block) => block.equals(bytes)) || bytes.equals(constant)) continue
          violations.push({ backup: record.id, problem: 'it is not what was written' })
        } catch (error) {
          if (!hasCode(error, 'object-missing', 'object-damaged')) throw error
          violations.push({ backup: record.id, problem: error.message })
        }
      }
    }
    return violations
  }

  /** On a machine without failures, while nothing else happens. */
  async #steadily(work: (host: Host) => Promise<void>): Promise<void> {
    const host = this.#world.start(work, { isSteady: true })
    await this.#world.finish()
    if (host.error instanceof AppError && /nobody knows what it needs/.test(host.error.message)) return
    if (host.error !== undefined) throw host.error
  }
}

/** Knows what it saw at first. */
class RememberingBook extends TombstoneBook {
  #seen: Promise<ReadonlyMap<string, Date>> | undefined

  override condemned(...args: Parameters<TombstoneBook['condemned']>): Promise<ReadonlyMap<string, Date>> {
    return (this.#seen ??= super.condemned(...args))
  }
}
