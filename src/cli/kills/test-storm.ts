import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { randomNumbers } from '../../core/test-random-numbers.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { backupStreams, listBackups } from '../../repository/backups/open-backup.ts'
import { checkRepository } from '../../repository/check/check-repository.ts'
import type { StreamsOf } from '../../repository/check/check-streams.ts'
import { createRepository } from '../../repository/create-repository.ts'
import { formatKeyFile } from '../../repository/keys/key-file.ts'
import { proveBackup } from '../../restore/prove-backup.ts'
import { openStore } from '../../store/open-store.ts'
import { parseStorePlace } from '../../store/store-place.ts'
import { type Storm, deedSchema, openInStorm } from './test-storm-worker.ts'

const worker = fileURLToPath(new URL('test-storm-worker.ts', import.meta.url))
const provenAtTheEnd = 3

export interface StormOptions {
  readonly seconds: number
  readonly seed: number
  /** As `--repo` takes it; where nothing is yet. Its clock may count whole seconds. */
  readonly place: string
  /** Of a process, on average, before it is killed or stopped: enough for a backup. */
  readonly lifeSeconds: number
  readonly tell: (line: string) => void
}

export interface StormOutcome {
  readonly kills: number
  readonly stalls: number
  readonly committed: number
  readonly forgotten: number
  readonly prunes: number
  readonly removedPacks: number
  readonly rescuedPacks: number
  /** Runs that ended in an error that says to run again. */
  readonly refused: number
  readonly checks: number
  readonly proven: number
}

const shop = `
  CREATE TABLE orders (id serial PRIMARY KEY, note text);
  CREATE TABLE customers (id serial PRIMARY KEY, name text);
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 500) i;
  INSERT INTO orders (note) SELECT sha512(i::text::bytea)::text FROM generate_series(1, 6000) i`
/** Old content comes back: what was forgotten and condemned is wanted again. */
const changes = [
  'UPDATE orders SET note = sha512((id + 10000 * (random() * 3)::int)::text::bytea)::text WHERE id % 4 = (random() * 4)::int',
  'DELETE FROM orders WHERE id > 6000; INSERT INTO orders (note) SELECT random()::text FROM generate_series(1, 300)',
]

/** Two that back up and two that forget and prune, stopped and killed at random, on one repository of a database that changes. */
export async function storm(options: StormOptions): Promise<StormOutcome> {
  await using server = await startTestServer()
  await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
  await loadSql(withDatabase(server.target, 'shop'), shop)
  const surroundings = { environment: process.env, homeDirectory: '/', create: true }
  const store = await openStore(parseStorePlace(options.place, '/'), surroundings)
  const { key } = await createRepository(store, { averageChunkBytes: 4096 })
  const workers = new Workers(options, server, {
    place: options.place,
    keyFile: await formatKeyFile(key),
    database: uriOf(server),
    // a sixth of the window is what clocks may count in; a seconds' clock needs six of them
    commitWindowHours: 8 / 3600,
    graceHours: 20 / 3600,
    packBytes: 64 * 1024,
  })
  return await workers.run()
}

function uriOf({ target }: TestServer): string {
  const [host] = target.hosts
  assert.ok(host)
  const password = encodeURIComponent(target.password(host) ?? '')
  return `postgresql://${target.user}:${password}@/shop?host=${encodeURIComponent(host.host)}&port=${host.port}&sslmode=disable`
}

class Workers {
  readonly #options: StormOptions
  readonly #server: TestServer
  readonly #storm: Storm
  readonly #random: () => number
  readonly #children = new Set<ChildProcess>()
  /** Of which a worker said that they count. */
  readonly #committed = new Set<string>()
  readonly #forgotten = new Set<string>()
  readonly #counts = { kills: 0, stalls: 0, prunes: 0, removedPacks: 0, rescuedPacks: 0, refused: 0, checks: 0 }
  readonly #over = new AbortController()

  constructor(options: StormOptions, server: TestServer, settings: Storm) {
    this.#options = options
    this.#server = server
    this.#storm = settings
    this.#random = randomNumbers(options.seed)
  }

  async run(): Promise<StormOutcome> {
    const { signal } = this.#over
    const timer = setTimeout(() => this.#over.abort(), this.#options.seconds * 1000)
    try {
      const lives = ['backup', 'backup', 'prune', 'prune'].map((work) => this.#live(work))
      await Promise.all([...lives, this.#change(), this.#watch()])
    } finally {
      clearTimeout(timer)
      this.#over.abort(signal.reason)
      for (const child of this.#children) child.kill('SIGKILL')
    }
    const repository = await openInStorm(this.#storm)
    await this.#check(3)
    const { backups } = await listBackups(repository)
    const newest = backups.slice(-provenAtTheEnd)
    for (const backup of newest) {
      const on = this.#server.target
      const proof = await proveBackup(repository, backup, { on, assertions: [], jobs: 2, environment: process.env })
      assert.deepEqual([proof.outcome, proof.differences], ['proven', []])
    }
    const [committed, forgotten] = [this.#committed.size, this.#forgotten.size]
    return { ...this.#counts, committed, forgotten, proven: newest.length }
  }

  /** One worker after the other, each until it is killed. */
  async #live(work: string): Promise<void> {
    while (!this.#over.signal.aborted) {
      const env = { ...process.env, PGREVIVE_TEST_STORM: JSON.stringify(this.#storm) }
      const child = spawn(process.execPath, [worker, work], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      this.#children.add(child)
      let trouble = ''
      child.stderr.on('data', (text: Buffer) => (trouble += text.toString()))
      createInterface(child.stdout).on('line', (line) => this.#note(line))
      const closed = once(child, 'close')
      const pass = (mostMs: number) => {
        const passed = delay(500 + this.#random() * mostMs, undefined, { signal: this.#over.signal })
        return Promise.race([passed.catch(() => undefined), closed])
      }
      await pass(this.#options.lifeSeconds * 2000)
      // some stand still, as a machine does that sleeps, and go on with what they knew
      while (this.#random() < 0.4) {
        child.kill('SIGSTOP')
        this.#counts.stalls++
        await pass(45_000)
        child.kill('SIGCONT')
        await pass(this.#options.lifeSeconds * 1000)
      }
      child.kill('SIGKILL')
      await closed
      this.#children.delete(child)
      assert.equal(child.signalCode, 'SIGKILL', `a ${work} ended by itself: ${trouble}`)
      this.#counts.kills++
    }
  }

  #note(line: string): void {
    const deed = deedSchema.parse(JSON.parse(line))
    if (deed.what === 'committed') this.#committed.add(deed.id)
    else if (deed.what === 'forgetting') for (const id of deed.ids) this.#forgotten.add(id)
    else if (deed.what === 'failed') this.#counts.refused++
    else {
      this.#counts.prunes++
      this.#counts.removedPacks += deed.removed
      this.#counts.rescuedPacks += deed.rescued
    }
  }

  async #change(): Promise<void> {
    await using connection = await this.#server.connect('shop')
    while (!this.#over.signal.aborted) {
      await connection.execute(changes[Math.floor(this.#random() * changes.length)] ?? '')
      await delay(200 + this.#random() * 1000)
    }
  }

  /** Looks at the repository all the time, at its structure. */
  async #watch(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await delay(3000, undefined, { signal: this.#over.signal }).catch(() => undefined)
      await this.#check(1)
    }
  }

  async #check(level: 1 | 3): Promise<void> {
    const promised = new Set(this.#committed)
    const repository = await openInStorm(this.#storm)
    const streamsOf: StreamsOf = (record, reader) => backupStreams(reader, record)
    const { damages, late, checked } = await checkRepository(repository, { level, streamsOf })
    // a record that was stored too late, and nobody was told of, says of itself that it is not to be trusted
    const isBad = ({ id }: { readonly id: string }) => promised.has(id) || !late.includes(id)
    const bad = damages.filter(({ backups }) => backups.length === 0 || backups.some(isBad))
    const there = new Set((await listBackups(repository)).backups.map(({ id }) => id))
    const lost = [...promised].filter((id) => !there.has(id) && !this.#forgotten.has(id))
    assert.deepEqual([bad, lost], [[], []], 'a backup that counts is damaged, or gone though nobody forgot it')
    this.#counts.checks++
    const counts = JSON.stringify({ committed: promised.size, ...this.#counts })
    this.#options.tell(`${checked.records} backups are sound; ${counts}`)
  }
}
