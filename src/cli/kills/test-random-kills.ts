import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { randomNumbers } from '../../core/test-random-numbers.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { quoteQualified } from '../../postgres/sql/quote.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { parseKeyFile } from '../../repository/keys/key-file.ts'
import { type Backup, listBackups, readManifest } from '../../repository/backups/open-backup.ts'
import { openRepository } from '../../repository/open-repository.ts'
import type { Repository } from '../../repository/repository.ts'
import { proveBackup } from '../../restore/prove-backup.ts'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import { loadCommands } from '../commands.ts'
import { TestHost } from '../commands/test-host.ts'
import { assertNothingLeftOn, assertSound, assertUnfinishedGoes, directoriesOf, programsIn } from './test-leftovers.ts'

export interface RandomKillOptions {
  /** How many runs are to be killed; those that end before their time do not count. */
  readonly times: number
  readonly seed: number
  readonly tell: (line: string) => void
}

export interface RandomKillSummary {
  readonly runs: readonly { readonly name: string; readonly killed: number; readonly ended: number }[]
  readonly backups: number
  /** Databases and directories that killed runs left, and that later ones removed. */
  readonly leftovers: number
  /** None is what is expected. */
  readonly violations: readonly string[]
}

interface Action {
  readonly name: string
  readonly weight: number
  readonly args: (what: { readonly id: string; readonly database: string }) => readonly string[]
  readonly prepare?: (server: TestServer, database: string) => Promise<void>
  /** Of a run that nobody kills; 0 unless named. */
  readonly exitCodes?: readonly number[]
}

const actions: readonly Action[] = [
  { name: 'backup', weight: 8, args: () => ['backup', 'postgres:///shop'] },
  { name: 'restore', weight: 4, args: ({ id, database }) => ['restore', id, '--to', database] },
  {
    name: 'restore into a database that is there',
    weight: 2,
    args: ({ id, database }) => ['restore', id, '--to', database],
    prepare: (server, database) => execute(server, `CREATE DATABASE ${database} TEMPLATE template0`),
  },
  { name: 'prove', weight: 2, args: ({ id }) => ['prove', id] },
  { name: 'prove on a server', weight: 3, args: ({ id }) => ['prove', id, '--on', 'postgres:///postgres'] },
  { name: 'check', weight: 1, args: () => ['check', '--level', 'content'] },
  { name: 'diff', weight: 1, args: ({ id }) => ['diff', id, 'latest'], exitCodes: [0, 9] },
  { name: 'forget', weight: 1, args: () => ['forget', '--keep-last', '8'], exitCodes: [0, 11] },
  { name: 'prune', weight: 3, args: () => ['prune', '--max-repack', '1GB'] },
  { name: 'export', weight: 1, args: ({ id, database }) => ['export', id, '-o', `${database}.sql`] },
]

const shop = `
  CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, note text);
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 1000) i;
  INSERT INTO orders (customer, note) SELECT 1 + i % 1000, sha512(i::text::bytea)::text FROM generate_series(1, 30000) i;
  CREATE INDEX ON orders (customer); CREATE INDEX ON orders (md5(note));
  CREATE VIEW names AS SELECT name FROM customers; CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM orders;
  SELECT lo_from_bytea(0, 'large') FROM generate_series(1, 20)`
const writing = `
  INSERT INTO orders (customer, note) SELECT 1 + (random() * 999)::int, random()::text FROM generate_series(1, 20);
  UPDATE orders SET note = note || '.' WHERE id IN (SELECT (random() * 30000)::int FROM generate_series(1, 20));
  DELETE FROM orders WHERE id IN (SELECT (random() * 30000)::int FROM generate_series(1, 20))`
/** The same of every whole shop, whatever its rows. */
const structure = `
  SELECT (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace), (SELECT count(*) FROM pg_largeobject),
    (SELECT relispopulated FROM pg_class WHERE oid = 'public.counted'::regclass), to_regnamespace('pgrevive_restore_unfinished')`

const killsBetweenRests = 20

async function execute(server: TestServer, sql: string): Promise<void> {
  await using connection = await server.connect()
  await connection.execute(sql)
}

/** Kills runs at random moments, one after the other, while a database is written to, and examines what each leaves. */
export async function killAtRandom(options: RandomKillOptions): Promise<RandomKillSummary> {
  await using kills = await RandomKills.start(options)
  return await kills.run()
}

class RandomKills implements AsyncDisposable {
  readonly #options: RandomKillOptions
  readonly #random: () => number
  readonly #server: TestServer
  readonly #host: TestHost
  readonly #held: AsyncDisposableStack
  /** Of the commands that there are. */
  readonly #actions: readonly Action[]
  readonly #counts = new Map<string, { killed: number; ended: number; lastMs: number }>()
  readonly #violations: string[] = []
  /** Of runs that were killed since the last rest. */
  #killedIds: number[] = []
  #leftovers = 0
  #runs = 0
  #repository: Repository | undefined

  private constructor(
    options: RandomKillOptions,
    known: readonly Action[],
    server: TestServer,
    host: TestHost,
    held: AsyncDisposableStack,
  ) {
    this.#options = options
    this.#actions = known
    this.#random = randomNumbers(options.seed)
    this.#server = server
    this.#host = host
    this.#held = held
  }

  static async start(options: RandomKillOptions): Promise<RandomKills> {
    await using owned = new AsyncDisposableStack()
    const server = owned.use(await startTestServer())
    const host = owned.use(await TestHost.create(server))
    await execute(server, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(withDatabase(server.target, 'shop'), shop)
    await host.succeed('init')
    await host.succeed('backup', 'postgres:///shop')
    const commands = new Set((await loadCommands()).map(({ name }) => name))
    const known = actions.filter(({ args }) => commands.has(args({ id: '', database: '' })[0] ?? ''))
    return new RandomKills(options, known, server, host, owned.move())
  }

  async run(): Promise<RandomKillSummary> {
    const stop = new AbortController()
    const writer = this.#write(stop.signal)
    for (const action of this.#actions) await this.#runOnce(action, Infinity)
    for (let killed = 0; killed < this.#options.times;) {
      const action = this.#choose()
      const { lastMs } = this.#countsOf(action)
      if (!(await this.#runOnce(action, (0.1 + this.#random()) * lastMs))) continue
      killed++
      if (killed % killsBetweenRests === 0 || killed === this.#options.times) await this.#rest(killed)
    }
    stop.abort()
    await writer
    const backups = await this.#proveAll()
    const runs = [...this.#counts].map(([name, { killed, ended }]) => ({ name, killed, ended }))
    return { runs, backups, leftovers: this.#leftovers, violations: this.#violations }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const target = { ...withDatabase(this.#server.target, 'shop'), applicationName: 'writer' }
    await using connection = await Connection.connect(target)
    while (!signal.aborted) {
      await connection.execute(writing)
      await delay(50)
    }
  }

  #choose(): Action {
    const urn = this.#actions.flatMap((action) => Array.from({ length: action.weight }, () => action))
    const [action] = urn.slice(Math.floor(this.#random() * urn.length))
    assert.ok(action)
    return action
  }

  #countsOf({ name }: Action) {
    const counts = this.#counts.get(name) ?? { killed: 0, ended: 0, lastMs: 0 }
    this.#counts.set(name, counts)
    return counts
  }

  /** Whether the run was killed: `afterMs` had passed before it ended. */
  async #runOnce(action: Action, afterMs: number): Promise<boolean> {
    const before = (await this.#list()).map(({ id }) => id)
    const id = before[Math.floor(this.#random() * before.length)] ?? ''
    const database = `again_${++this.#runs}`
    await action.prepare?.(this.#server, database)
    const startedAt = performance.now()
    const { child, ended } = await this.#host.start(...action.args({ id, database }))
    const waiting = new AbortController()
    if (afterMs !== Infinity) {
      void delay(afterMs, undefined, { signal: waiting.signal })
        // alone, or with the programs that it runs
        .then(() => process.kill(this.#random() < 0.5 ? child.pid : -child.pid, 'SIGKILL'))
        .catch(() => undefined) // it had ended
    }
    const { signal, exitCode, stderr } = await ended
    waiting.abort()
    const counts = this.#countsOf(action)
    counts[signal ? 'killed' : 'ended']++
    const what = `${action.name} ${signal ? `killed after ${Math.round(afterMs)} ms` : 'not killed'}`
    if (signal) this.#killedIds.push(child.pid)
    else {
      counts.lastMs = performance.now() - startedAt
      await this.#expect(what, async () => assert.ok((action.exitCodes ?? [0]).includes(exitCode ?? -1), stderr))
    }
    await this.#expect(what, () => this.#examine(action, before, { id, database, isWhole: signal === null }))
    return signal !== null
  }

  /** What is cheap to find out is found out after every run. */
  async #examine(
    { name }: Action,
    before: readonly string[],
    { id, database, isWhole }: { readonly id: string; readonly database: string; readonly isWhole: boolean },
  ): Promise<void> {
    const backups = await this.#list()
    const ids = backups.map((backup) => backup.id)
    const added = ids.filter((one) => !before.includes(one)).length
    assert.ok(name === 'backup' ? (isWhole ? added === 1 : added <= 1) : added === 0, `${added} backups were added`)
    if (name !== 'forget') assert.deepEqual(ids.slice(0, before.length), before)
    await assertSound(await this.#open(), 1)
    await this.#examineDatabase(
      database,
      backups.find((backup) => backup.id === id),
      isWhole,
    )
    await using connection = await this.#server.connect()
    const left = await connection.query("SELECT FROM pg_database WHERE datname LIKE 'pgrevive%'")
    this.#leftovers += isWhole ? 0 : left.length
  }

  /** A database under its final name is what was backed up, or is marked, or was not begun. */
  async #examineDatabase(database: string, backup: Backup | undefined, isWhole: boolean): Promise<void> {
    const found = await this.#query('postgres', `SELECT FROM pg_database WHERE datname = '${database}'`)
    if (!backup || found.length === 0) return
    const [[relations, mark] = []] = await this.#query(
      database,
      `SELECT count(*), to_regnamespace('pgrevive_restore_unfinished') FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
    )
    if (isWhole || (mark === null && relations !== '0')) {
      assert.deepEqual(await this.#query(database, structure), await this.#query('shop', structure))
      const reader = await (await this.#open()).openReader()
      for (const { schema, name, rows } of (await readManifest(reader, backup)).tables) {
        const counted = await this.#query(database, `SELECT count(*) FROM ${quoteQualified(schema, name)}`)
        assert.deepEqual(counted, [[String(rows)]])
      }
    }
    await execute(this.#server, `DROP DATABASE ${database} WITH (FORCE)`)
  }

  /** After some kills: commands that nobody kills work, and clean up after those before them. */
  async #rest(killed: number): Promise<void> {
    this.#options.tell(`${killed} killed, ${this.#violations.length} violations`)
    await this.#host.passTime(30) // what was condemned may be removed
    const directories = await directoriesOf(...this.#killedIds)
    this.#leftovers += directories.length
    for (const action of this.#actions) await this.#runOnce(action, Infinity)
    await this.#expect(`after ${killed} kills`, async () => {
      assert.deepEqual(await directoriesOf(...this.#killedIds), [])
      assert.deepEqual(await programsIn(directories), [])
      await assertNothingLeftOn(this.#server)
      await assertUnfinishedGoes(await this.#open())
      await assertSound(await this.#open(), 3)
    })
    this.#killedIds = []
  }

  async #proveAll(): Promise<number> {
    const backups = await this.#list()
    this.#options.tell(`proving ${backups.length} backups`)
    for (const backup of backups) {
      await this.#expect(`proof of ${backup.id}`, async () => {
        const proof = await proveBackup(await this.#open(), backup, {
          on: this.#server.target,
          assertions: [],
          jobs: 2,
          environment: process.env,
        })
        assert.deepEqual([proof.outcome, proof.differences], ['proven', []])
      })
    }
    return backups.length
  }

  async #expect(what: string, examine: () => Promise<void>): Promise<void> {
    try {
      await examine()
    } catch (error) {
      const violation = `${what}: ${error instanceof Error ? error.message : String(error)}`
      this.#violations.push(violation)
      this.#options.tell(`VIOLATION ${violation}`)
    }
  }

  async #query(database: string, sql: string) {
    await using connection = await this.#server.connect(database)
    return await connection.query(sql)
  }

  async #list(): Promise<Backup[]> {
    return (await listBackups(await this.#open())).backups
  }

  async #open(): Promise<Repository> {
    if (this.#repository) return this.#repository
    const folder = this.#host.path('home', 'config', 'pgrevive')
    const keys = await Promise.all(
      (await readdir(folder)).map(async (name) => parseKeyFile(await readFile(join(folder, name), 'utf8'))),
    )
    return (this.#repository = await openRepository(await DirectoryStore.open(this.#host.path('backups')), { keys }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }
}
