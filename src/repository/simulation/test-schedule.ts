import { createHash } from 'node:crypto'
import { AppError, hasCode } from '../../core/app-error.ts'
import { checkRepository } from '../check/check-repository.ts'
import { createRepository } from '../create-repository.ts'
import { forgetBackups } from '../retention/forget-backups.ts'
import { generateIdentity } from '../keys/age.ts'
import { packNameOf, packPrefix, sealedPrefix } from '../objects/object-keys.ts'
import { listSealed } from '../objects/sealed-object.ts'
import { parseTrailer } from '../packs/pack-trailer.ts'
import { entriesOf } from '../packs/pack-directory.ts'
import { pruneRepository } from '../prune/prune-repository.ts'
import { bodySchema, streamsOf } from '../prune/test-prune.ts'
import { Repository } from '../repository.ts'
import { TombstoneBook } from '../sessions/tombstones.ts'
import { readStream, writeStream } from '../test-repository.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { inWorld } from './test-clocks.ts'
import { Ledger, type Violation } from './test-ledger.ts'
import { type Mutant, Mutants } from './test-mutants.ts'
import { type Host, World } from './test-world.ts'

const hourMs = 3600 * 1000

export interface ScheduleOutcome {
  readonly requests: number
  readonly committed: number
  /** Sessions that were about to rely on what may be removed. */
  readonly refused: number
  readonly rescuedPacks: number
  readonly removedPacks: number
  readonly repairs: number
  readonly violations: readonly Violation[]
}

/** What sessions write, a stream of one chunk each. */
const [constant = Buffer.alloc(0), ...blocks] = Array.from({ length: 4 }, (_, number) => {
  const digest = createHash('sha512').update(`block ${number}`).digest()
  return Buffer.concat(
    Array.from({ length: 12 }, (_, part) => createHash('sha512').update(digest).update(`${part}`).digest()),
  )
})

await generateIdentity() // loads what is loaded when it is first needed, which takes real time

/** Where every schedule begins: a repository with one backup that nobody forgets, since prunes do nothing without any. */
const template = await (async () => {
  const world = new World(0)
  return inWorld(world, async () => {
    const { key, repository } = await createRepository(world.stillStore, { averageChunkBytes: 4096 })
    await using session = await repository.startSession()
    await session.commit({ stream: await writeStream(session, constant) })
    return { key, context: repository.context, objects: [...world.objects] }
  })
})()

/** Days of sessions, prunes, repairs and people who forget, all at once, on machines that stall and die. */
export async function runSchedule(
  seed: number,
  mutant?: Mutant,
  tell?: (line: string) => void,
): Promise<ScheduleOutcome> {
  const world = new World(seed)
  world.tell = tell
  return inWorld(world, () => new Schedule(world, mutant).run())
}

class Schedule {
  readonly #world: World
  readonly #mutants: Mutants
  readonly #ledger: Ledger
  readonly #prunes: Host[] = []
  readonly #bugs: Violation[] = []
  readonly #counts = { refused: 0, rescuedPacks: 0, repairs: 0 }

  constructor(world: World, mutant: Mutant | undefined) {
    this.#world = world
    this.#mutants = new Mutants(world, mutant)
    this.#ledger = new Ledger(template.context.keys)
    world.witness = this.#ledger
    for (const [key, { bytes }] of template.objects) world.put(key, bytes)
  }

  async run(): Promise<ScheduleOutcome> {
    const world = this.#world
    const { violations } = this.#ledger
    const rounds = world.chance(0.7) ? 1 : Math.ceil(world.random() * blocks.length)
    for (const [round, block] of blocks.slice(0, rounds).entries()) this.#planRound(block, round * 30 * hourMs)
    await world.finish(() => violations.length > 0)
    // whatever was prepared to go wrong
    for (let more = 0; more < 2 && violations.length === 0; more++) {
      world.nowMs += 30 * hourMs
      this.#start('prune', 0, (host) => this.#prune(host), { isSteady: true })
      await world.finish()
    }
    if (violations.length === 0) await this.#readAll()
    const { committed, removedPacks } = this.#ledger
    return {
      requests: world.requests,
      committed,
      removedPacks,
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
    const plan = (name: string, afterHours: number, withinHours: number, work: (host: Host) => Promise<void>) => {
      this.#start(name, startMs + (afterHours + world.random() * withinHours) * hourMs, work)
    }
    const times = (most: number) => Math.ceil(world.random() * most)
    // two at once store it twice
    for (let count = times(2); count > 0; count--) plan('backup', 0, 0.001, (host) => this.#backUp(host, block))
    for (let count = times(2); count > 0; count--) {
      plan('backup', 50, 24, (host) => this.#backUp(host, block, world.random() * 50 * hourMs))
    }
    plan('forget', 50, 30, (host) => this.#forget(host))
    for (let count = 0; count < 4; count++) plan('prune', 50, 60, (host) => this.#prune(host))
    if (world.chance(0.3)) plan('condemn', 50, 100, (host) => this.#condemnAnything(host))
    if (world.chance(this.#mutants.rotShare)) plan('rot', 70, 40, async (host) => this.#rot(host))
    if (world.chance(0.3)) plan('reader', 0.1, 60, (host) => this.#readForDays(host))
    for (const revoke of this.#mutants.revocations) {
      const hours = 75 + world.random() * 50
      plan('revoke', hours, 0, revoke)
      plan('backup', hours + 1, 5, (host) => this.#backUp(host, block))
    }
  }

  #start(
    name: string,
    afterMs: number,
    work: (host: Host) => Promise<void>,
    options: { readonly isSteady?: boolean } = {},
  ): void {
    const failed = (error: unknown) => this.#examineFailure(error)
    this.#world.start((host) => work(host).catch(failed), { ...options, name, afterMs })
  }

  /** What `openRepository` would give, without the time that keys take. */
  #open(store: ObjectStore): Repository {
    const { context, key } = template
    const tombstones = new TombstoneBook(store, context.keys.metadata)
    return new Repository({ ...context, store, tombstones }, key)
  }

  async #backUp(host: Host, block: Buffer, pauseMs = 0): Promise<void> {
    const world = this.#world
    const repository = this.#mutants.forSession(this.#open(host.store))
    await using session = await repository.startSession()
    const stream = await writeStream(session, block)
    if (pauseMs > 0) await host.sleep(pauseMs)
    const another = world.chance(0.3) ? world.pick(blocks) : undefined
    const more = another && (await writeStream(session, another))
    const { id } = await session.commit({ stream, ...(more && { more }) })
    this.#ledger.promise(id)
  }

  async #prune(host: Host): Promise<void> {
    this.#prunes.push(host)
    const repository = this.#mutants.forPrune(this.#open(host.store))
    const { rescued } = await pruneRepository(repository, {
      streamsOf,
      maxRepackBytes: this.#world.chance(0.5) ? 1e9 : 1,
    })
    this.#counts.rescuedPacks += rescued.packs
  }

  async #forget(host: Host): Promise<void> {
    const repository = this.#open(host.store)
    const ids: string[] = []
    for await (const { id } of listSealed(host.store, 'record')) ids.push(id)
    const forgotten = ids.slice(1).filter(() => this.#world.chance(0.7))
    await forgetBackups(repository, forgotten)
  }

  /** Tombstones may lie: nothing that is needed goes for it. */
  async #condemnAnything(host: Host): Promise<void> {
    const repository = this.#open(host.store)
    const names: string[] = []
    for (const kind of ['data', 'meta'] as const) {
      for await (const { key } of host.store.list(packPrefix(kind))) names.push(packNameOf(kind, key) ?? '')
    }
    const name = this.#world.pick(names)
    if (name !== undefined) await repository.condemn([name])
  }

  /** A tombstone or a chunk is damaged, and somebody repairs it after a while. */
  #rot(host: Host): void {
    const world = this.#world
    const keysOf = (prefix: string) => [...world.objects.keys()].filter((key) => key.startsWith(prefix)).toSorted()
    const tombstone = world.chance(0.7) ? world.pick(keysOf(sealedPrefix('gc'))) : undefined
    // a prune may have read it already, and relies on what it saw
    const isQuiet = this.#prunes.every(({ isDone, isDead }) => isDone || isDead)
    const pack = tombstone === undefined && isQuiet ? world.pick(keysOf(packPrefix('data'))) : undefined
    const key = tombstone ?? pack
    const { bytes, modifiedAt } = world.objects.get(key ?? '') ?? {}
    if (key === undefined || !bytes || !modifiedAt) return
    const damaged = Buffer.from(bytes)
    const [nth, at] = tombstone === undefined ? this.#someBlob(bytes) : [-1, bytes.length >> 1]
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at)
    world.objects.set(key, { bytes: damaged, modifiedAt })
    host.tell(`damages ${key}`)
    if (nth >= 0) this.#ledger.rotted(key, nth)
    for (const hours of [world.random() * 10, world.random() * 40]) {
      this.#start('repair', hours * hourMs, async (repairing) => {
        await this.#repair(repairing)
        const block = world.pick(blocks) // as the hint says
        if (block) await this.#backUp(repairing, block)
      })
    }
  }

  /** The number of one, and a position in it. */
  #someBlob(pack: Buffer): [nth: number, at: number] {
    const blobs = [...entriesOf(parseTrailer(pack, pack.length, template.context.keys.metadata))]
    const blob = this.#world.pick(blobs)
    return blob ? [blobs.indexOf(blob), blob.offset + 20] : [-1, 0]
  }

  async #repair(host: Host): Promise<void> {
    const repository = this.#mutants.forRepair(this.#open(host.store))
    const { repairs } = await checkRepository(repository, { level: 2, repair: true, streamsOf })
    this.#counts.repairs += repairs.length
  }

  /** Whoever began to read a backup gets all of it, however long that takes, unless it is forgotten meanwhile. */
  async #readForDays(host: Host): Promise<void> {
    const repository = this.#open(host.store)
    // first, as all who restore do: a reader knows what was there when it was opened
    const record = this.#world.pick(await Array.fromAsync(repository.records()))
    if (!record || record.state === 'damaged') return
    const reader = await repository.openReader()
    await host.sleep(this.#world.random() * 100 * hourMs)
    try {
      await Array.fromAsync(reader.read(bodySchema.parse(record.body).stream))
    } catch (error) {
      if (!hasCode(error, 'object-missing') || this.#ledger.isLost(record.id)) throw error
      this.#bugs.push({ backup: record.id, problem: `it is there, and was not found: ${error.message}` })
    }
  }

  /** What has all its chunks reads back, as it was written. */
  async #readAll(): Promise<void> {
    const repository = this.#open(this.#world.stillStore)
    for await (const record of repository.records()) {
      if (record.state === 'damaged' || this.#ledger.isLost(record.id)) continue
      const { stream, more } = bodySchema.parse(record.body)
      for (const one of more ? [stream, more] : [stream]) {
        const bytes = await readStream(repository, one)
        if ([constant, ...blocks].some((block) => block.equals(bytes))) continue
        this.#bugs.push({ backup: record.id, problem: 'it is not what was written' })
      }
    }
  }
}
