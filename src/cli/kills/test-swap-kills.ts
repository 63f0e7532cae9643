import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { AppError, messageOf } from '../../core/app-error.ts'
import { randomNumbers } from '../../core/test-random-numbers.ts'
import { type CrashingServer, startCrashingServer } from '../../postgres/server/test-crashing-server.ts'
import { loadSql } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { type Ended, TestHost } from '../commands/test-host.ts'

export interface SwapKillOptions {
  /** How many runs are to be killed, or have their server killed; those that end before their time do not count. */
  readonly times: number
  readonly seed: number
  readonly tell: (line: string) => void
}

export interface SwapKillSummary {
  readonly killed: number
  readonly crashed: number
  readonly swapped: number
  readonly resumed: number
  readonly aborted: number
  readonly undone: number
  /** Rows that clients were told are committed, all found again. */
  readonly committed: number
  /** None is what is expected. */
  readonly violations: readonly string[]
}

const shop = `
  CREATE TABLE goods (id int PRIMARY KEY, note text);
  INSERT INTO goods SELECT i, sha512(i::text::bytea)::text FROM generate_series(1, 20000) i;
  CREATE INDEX ON goods (md5(note)); CREATE VIEW names AS SELECT note FROM goods;
  CREATE TABLE ledger (n int PRIMARY KEY)`
/** The same of every whole shop. */
const structure = `
  SELECT (SELECT count(*) FROM goods), (SELECT count(*) FROM names),
    (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace)`

/** Kills restores in place, and their server, at random moments while a client writes, and examines what each leaves. */
export async function killSwaps(options: SwapKillOptions): Promise<SwapKillSummary> {
  await using kills = await SwapKills.start(options)
  return await kills.run()
}

class SwapKills implements AsyncDisposable {
  readonly #options: SwapKillOptions
  readonly #random: () => number
  readonly #server: CrashingServer
  readonly #host: TestHost
  readonly #held: AsyncDisposableStack
  readonly #whole: string
  /** By the OID of the database that they were committed to. */
  readonly #committed = new Map<string, Set<number>>()
  readonly #violations: string[] = []
  readonly #counts = { killed: 0, crashed: 0, swapped: 0, resumed: 0, aborted: 0, undone: 0 }
  #lastMs = 0

  private constructor(
    options: SwapKillOptions,
    server: CrashingServer,
    host: TestHost,
    whole: string,
    held: AsyncDisposableStack,
  ) {
    this.#options = options
    this.#random = randomNumbers(options.seed)
    this.#server = server
    this.#host = host
    this.#whole = whole
    this.#held = held
  }

  static async start(options: SwapKillOptions): Promise<SwapKills> {
    await using owned = new AsyncDisposableStack()
    const server = owned.use(await startCrashingServer())
    const host = owned.use(await TestHost.create(server))
    {
      await using connection = await Connection.connect(server.target)
      await connection.execute('CREATE DATABASE shop TEMPLATE template0')
    }
    const target = withDatabase(server.target, 'shop')
    await loadSql(target, shop)
    await host.succeed('init')
    await host.succeed('backup', 'postgres:///shop')
    await using connection = await Connection.connect(target)
    const whole = JSON.stringify(await connection.query(structure))
    return new SwapKills(options, server, host, whole, owned.move())
  }

  async run(): Promise<SwapKillSummary> {
    const stop = new AbortController()
    const writer = this.#write(stop.signal)
    try {
      await this.#killOne(Infinity)
      for (let done = 0; done < this.#options.times;) {
        // most of the time goes by before what matters
        if (await this.#killOne(1.1 * Math.sqrt(this.#random()) * this.#lastMs)) done++
        if (done > 0 && done % 10 === 0) this.#options.tell(`${done} killed, ${this.#violations.length} violations`)
      }
    } finally {
      stop.abort()
      await writer
    }
    const committed = [...this.#committed.values()].reduce((sum, rows) => sum + rows.size, 0)
    return { ...this.#counts, committed, violations: this.#violations }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  /** Whether the run was killed before it ended by itself. */
  async #killOne(afterMs: number): Promise<boolean> {
    const before = await this.#oidOf('shop')
    const { child, ended } = await this.#host.start(
      'restore',
      'latest:shop',
      '--in-place',
      '--to',
      'postgres:///shop',
      '--grace',
      '0',
    )
    const startedMs = performance.now()
    const isOver = await Promise.race([ended.then(() => true), delay(Math.min(afterMs, 60_000))])
    if (isOver === true) this.#lastMs = performance.now() - startedMs
    else if (this.#random() < 0.7) {
      process.kill(-child.pid, 'SIGKILL')
      this.#counts.killed++
    } else {
      await this.#server.crash()
      this.#counts.crashed++
    }
    const end = await ended
    if (isOver === true && end.exitCode !== 0) this.#violations.push(`a run failed by itself: ${end.stderr}`)
    await this.#examine(`after ${isOver === true ? 'its end' : 'a kill'}`)
    if ((await this.#oidOf('shop')) !== before) this.#counts.swapped++
    await this.#goOn()
    await this.#examine('after what followed')
    await this.#finish()
    return isOver !== true
  }

  /** What an operator may do then. */
  async #goOn(): Promise<void> {
    const way = (['--resume', '--abort', '--undo', undefined] as const)[Math.floor(this.#random() * 4)]
    if (way === undefined) return
    const ended = await this.#again(way)
    if (ended.exitCode !== 0) return
    if (way === '--resume') this.#counts.resumed++
    if (way === '--abort') this.#counts.aborted++
    if (way === '--undo') this.#counts.undone++
  }

  /** What it drops lies in a backup, with every row that was committed to it; and nothing else is left. */
  async #finish(): Promise<void> {
    const kept = await this.#databases()
    const ended = await this.#again('--finish', '--json')
    const { dropped = [] } = finishDocument.parse(JSON.parse(ended.stdout))
    const left = (await this.#databases()).map(({ name }) => name)
    if (left.length !== 1 || left[0] !== 'shop') this.#violations.push(`left after --finish: ${left.join(', ')}`)
    for (const { database, safetyBackup } of dropped) {
      const oid = kept.find(({ name }) => name === database)?.oid ?? ''
      if (this.#random() > 0.3) continue
      await this.#host.succeed('restore', safetyBackup, '--to', 'saved', '--no-analyze')
      await this.#expectCommitted('saved', oid, `in the backup of ${database}`)
      await using connection = await Connection.connect(this.#server.target)
      await connection.execute('DROP DATABASE saved')
    }
  }

  /** It may find nothing to do, and nothing else may go wrong. */
  async #again(...args: string[]): Promise<Ended> {
    const ended = await this.#host.run(
      'restore',
      ...args,
      '--to',
      'postgres:///shop',
      ...(args[0] === '--resume' || args[0] === '--undo' ? ['--grace', '0'] : []),
    )
    const isFine = ended.exitCode === 0 || `${ended.stdout}${ended.stderr}`.includes('nothing-to-resume')
    if (!isFine) this.#violations.push(`${args[0] ?? ''} failed: ${ended.stdout}${ended.stderr}`)
    return ended
  }

  async #examine(when: string): Promise<void> {
    try {
      await using connection = await Connection.connect(withDatabase(this.#server.target, 'shop'))
      const found = JSON.stringify(await connection.query(structure))
      if (found !== this.#whole) this.#violations.push(`${when}, shop is not whole: ${found}`)
    } catch (error) {
      this.#violations.push(`${when}, shop can not be read: ${messageOf(error)}`)
    }
    for (const { name, oid } of await this.#databases()) await this.#expectCommitted(name, oid, `in ${name}, ${when}`)
  }

  async #expectCommitted(database: string, oid: string, where: string): Promise<void> {
    const committed = [...(this.#committed.get(oid) ?? [])]
    if (committed.length === 0) return
    await using connection = await Connection.connect(withDatabase(this.#server.target, database))
    const there = new Set((await connection.query('SELECT n FROM ledger')).map(([n]) => Number(n)))
    const lost = committed.filter((n) => !there.has(n))
    if (lost.length > 0) this.#violations.push(`${lost.length} committed rows are missing ${where}`)
  }

  async #oidOf(name: string): Promise<string | undefined> {
    return (await this.#databases()).find((database) => database.name === name)?.oid
  }

  async #databases(): Promise<{ name: string; oid: string }[]> {
    await using connection = await Connection.connect(this.#server.target)
    const rows = await connection.query(
      `SELECT datname, oid FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres') ORDER BY 1`,
    )
    return rows.map(([name, oid]) => ({ name: name ?? '', oid: oid ?? '' }))
  }

  /** A client that writes, and comes back by the name when its session ends. */
  async #write(signal: AbortSignal): Promise<void> {
    for (let n = 1; !signal.aborted;) {
      try {
        await using connection = await Connection.connect(withDatabase(this.#server.target, 'shop'))
        const [[oid] = []] = await connection.query('SELECT oid FROM pg_database WHERE datname = current_database()')
        assert.ok(oid)
        while (!signal.aborted) {
          await connection.execute(`INSERT INTO ledger VALUES (${++n})`)
          this.#committed.set(oid, (this.#committed.get(oid) ?? new Set()).add(n))
          await delay(5)
        }
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        await delay(20) // the session was ended, or the server crashed
      }
    }
  }
}

const finishDocument = z.object({
  dropped: z.array(z.object({ database: z.string(), safetyBackup: z.ulid() })).optional(),
})
