import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Row } from '../../postgres/wire/connection.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { parseKeyFile } from '../../repository/keys/key-file.ts'
import { openRepository } from '../../repository/open-repository.ts'
import type { Repository } from '../../repository/repository.ts'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import { TestHost, connectionVariables } from '../commands/test-host.ts'
import { assertNothingLeftOn, assertSound, assertUnfinishedGoes, directoriesOf, programsIn } from './test-leftovers.ts'
import type { Scenario } from './test-scenarios.ts'

const preload = new URL('test-durable-steps.ts', import.meta.url).href

/** A little of everything that takes steps of its own. */
const shop = `
  CREATE ROLE keeper LOGIN PASSWORD 'k'; CREATE ROLE staff; GRANT staff TO keeper; COMMENT ON ROLE keeper IS 'keeps';
  ALTER ROLE keeper SET work_mem = '5MB';
  CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, note text);
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 500) i;
  INSERT INTO orders SELECT i, 1 + i % 500, sha512(i::text::bytea)::text FROM generate_series(1, 5000) i;
  CREATE INDEX ON orders (customer);
  CREATE VIEW both_tables AS SELECT name, note FROM customers c JOIN orders o ON o.customer = c.id;
  CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM orders;
  ALTER TABLE orders OWNER TO keeper; GRANT SELECT ON customers TO staff;
  SELECT lo_from_bytea(77, 'large'); COMMENT ON DATABASE shop IS 'a shop';
  CREATE FUNCTION note_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN NULL; END$$;
  CREATE EVENT TRIGGER drops ON sql_drop EXECUTE FUNCTION note_drop();
  ALTER DATABASE shop SET work_mem = '6MB'; REVOKE ALL ON DATABASE shop FROM PUBLIC`

/** Half of it changes between two backups. */
const goods = `
  CREATE TABLE names AS SELECT i, sha512(i::text::bytea)::text FROM generate_series(1, 3000) i;
  CREATE TABLE prices AS SELECT i, sha512((-i)::text::bytea)::text AS note FROM generate_series(1, 3000) i`

/** All that tells a whole shop from half a one. */
const contents = `
  SELECT (SELECT count(*) FROM public.customers), (SELECT md5(string_agg(note, ',' ORDER BY id)) FROM public.orders),
    (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT last_value FROM public.customers_id_seq), (SELECT count FROM public.counted), encode(lo_get(77), 'escape'),
    (SELECT count(*) FROM pg_event_trigger), to_regnamespace('pgrevive_restore_unfinished'),
    (SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace)`

/** Two servers, a shop on one of them, and a host whose repository each run finds as its scenario wants it. */
export class KillBench implements AsyncDisposable {
  readonly #servers: Readonly<Record<Scenario['on'], TestServer>>
  readonly #host: TestHost
  /** Of repositories to begin with. */
  readonly #templates: string
  readonly #stepList: string
  readonly #held: AsyncDisposableStack
  /** Of a repository with one backup. */
  #bytesOfOne = 0
  /** Processes that a scenario killed to begin with. */
  #abandoned: readonly number[] = []

  private constructor(
    servers: Readonly<Record<Scenario['on'], TestServer>>,
    host: TestHost,
    templates: string,
    held: AsyncDisposableStack,
  ) {
    this.#servers = servers
    this.#host = host
    this.#templates = templates
    this.#stepList = join(templates, 'steps')
    this.#held = held
  }

  static async start(): Promise<KillBench> {
    await using owned = new AsyncDisposableStack()
    const source = owned.use(await startTestServer())
    const destination = owned.use(await startTestServer())
    const host = owned.use(await TestHost.create(source))
    const templates = await mkdtemp(join(tmpdir(), 'pgrevive-kills-'))
    owned.defer(() => rm(templates, { recursive: true }))
    await loadSql(source.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(withDatabase(source.target, 'shop'), shop)
    const bench = new KillBench({ source, destination }, host, templates, owned.move())
    await bench.#fillTemplates()
    return bench
  }

  async #fillTemplates(): Promise<void> {
    const keep = (name: string) =>
      cp(this.#host.path('backups'), join(this.#templates, name), { recursive: true, preserveTimestamps: true })
    await this.#host.succeed('init')
    await cp(this.#keyFolder, join(this.#templates, 'keys'), { recursive: true })
    await keep('empty')
    await this.#host.backUp('postgres:///shop')
    this.#bytesOfOne = await this.#storedBytes()
    await keep('one backup')
    const source = this.#servers.source.target
    await loadSql(source, 'CREATE DATABASE goods TEMPLATE template0')
    await loadSql(withDatabase(source, 'goods'), goods)
    for (const change of ['SELECT', "UPDATE prices SET note = note || 'x'"]) {
      await loadSql(withDatabase(source, 'goods'), change)
      await this.#host.backUp('postgres:///goods')
      await this.#host.succeed('prove', 'latest:goods')
    }
    await keep('three backups')
  }

  /** Names of the durable steps of a run that nobody kills. */
  async stepsOf(scenario: Scenario): Promise<string[]> {
    await this.#prepare(scenario)
    await this.#with(scenario, '0').succeed(...scenario.args)
    return this.#stepsTaken()
  }

  /**
   * Kills a run at its nth step, or at the first that matches, examines what is left, and runs it again. Returns the
   * step; undefined if there is none.
   */
  async killAt(scenario: Scenario, which: number | RegExp): Promise<string | undefined> {
    await this.#prepare(scenario)
    const killing = this.#with(scenario, typeof which === 'number' ? String(which) : which.source)
    const run = await killing.start(...scenario.args)
    const { signal, exitCode, stderr } = await run.ended
    if (signal !== 'SIGKILL') {
      assert.equal(exitCode, 0, stderr)
      return undefined
    }
    const steps = await this.#stepsTaken()
    const step = steps.at(-1)
    try {
      await this.#examine(scenario, run.child.pid)
    } catch (error) {
      throw new Error(`${scenario.name} was killed at step ${steps.length}, ${step}`, { cause: error })
    }
    return step
  }

  async #examine(scenario: Scenario, killed: number): Promise<void> {
    const host = this.#with(scenario)
    if (scenario.repository !== 'none') await assertSound(await this.#repository(), 3)
    const dead = [killed, ...this.#abandoned]
    const directories = await directoriesOf(...dead)
    await scenario.settle?.(this, host)
    const stored = await this.#storedBytes()

    const again = await host.start(...scenario.args)
    const { exitCode, stderr } = await again.ended
    assert.equal(exitCode, 0, stderr)
    await scenario.examine?.(this)
    await assertSound(await this.#repository(), 3)
    if (scenario.name === 'backup') await this.#assertStoredOnce(stored)
    assert.deepEqual(await directoriesOf(...dead, again.child.pid), [])
    assert.deepEqual(await programsIn(directories), [])
    for (const server of Object.values(this.#servers)) await assertNothingLeftOn(server)
    await assertUnfinishedGoes(await this.#repository())
  }

  /** What the killed run stored is not stored again. */
  async #assertStoredOnce(storedByKilled: number): Promise<void> {
    const stored = await this.#storedBytes()
    const slack = 4096 // a second pack, index or record of the same content
    assert.ok(stored <= this.#bytesOfOne + slack, `${storedByKilled}, then ${stored}, not ${this.#bytesOfOne} bytes`)
  }

  async #prepare(scenario: Scenario): Promise<void> {
    const repository = this.#host.path('backups')
    await rm(repository, { recursive: true, force: true })
    await rm(this.#host.path('pgrevive-recovery-kit.txt'), { force: true })
    if (scenario.repository !== 'none') {
      await cp(join(this.#templates, scenario.repository), repository, { recursive: true, preserveTimestamps: true })
    }
    await rm(this.#keyFolder, { recursive: true, force: true })
    await cp(join(this.#templates, 'keys'), this.#keyFolder, { recursive: true })
    await rm(this.#stepList, { force: true })
    this.#abandoned = []
    await scenario.prepare?.(this)
  }

  #with({ on }: Pick<Scenario, 'on'>, killAt?: string): TestHost {
    const host = this.#host.with(connectionVariables(this.#servers[on]))
    if (killAt === undefined) return host
    return host.with({
      NODE_OPTIONS: `--import ${preload}`,
      PGREVIVE_TEST_KILL_AT: killAt,
      PGREVIVE_TEST_STEPS: this.#stepList,
    })
  }

  async #stepsTaken(): Promise<string[]> {
    return (await readFile(this.#stepList, 'utf8')).trimEnd().split('\n')
  }

  get #keyFolder(): string {
    return this.#host.path('home', 'config', 'pgrevive')
  }

  async #repository(): Promise<Repository> {
    const folder = this.#keyFolder
    const names = (await readdir(folder)).filter((name) => name.endsWith('.key'))
    const keys = await Promise.all(names.map(async (name) => parseKeyFile(await readFile(join(folder, name), 'utf8'))))
    return openRepository(await DirectoryStore.open(this.#host.path('backups')), { keys })
  }

  /** Without what is not finished. */
  async #storedBytes(): Promise<number> {
    const paths = (await this.#host.objects()).filter((path) => !path.startsWith(this.#host.path('backups', 'tmp')))
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  /** Kills a run on the source's host, for a later one to clean up after it. */
  async abandon(args: readonly string[], step: RegExp): Promise<void> {
    const run = await this.#with({ on: 'source' }, step.source).start(...args)
    assert.equal((await run.ended).signal, 'SIGKILL')
    this.#abandoned = [run.child.pid]
    await rm(this.#stepList)
  }

  /** Runs on the source's host what nobody kills. */
  async succeed(...args: readonly string[]): Promise<void> {
    await this.#with({ on: 'source' }).succeed(...args)
  }

  /** What is in the repository becomes older. */
  async passTime(hours: number): Promise<void> {
    await this.#host.passTime(hours)
  }

  async assertBackups(count: number): Promise<void> {
    assert.equal((await this.#host.list()).length, count)
  }

  /** As a writer leaves it that was killed two days ago. */
  async abandonFile(): Promise<void> {
    const path = this.path('backups', 'tmp', `pgrevive-${'0'.repeat(24)}`)
    await writeFile(path, 'half of it')
    const then = new Date(Date.now() - 48 * 3600 * 1000)
    await utimes(path, then, then)
  }

  async unfinishedFiles(): Promise<string[]> {
    return readdir(this.path('backups', 'tmp'))
  }

  /** In the working directory of the host. */
  path(...names: string[]): string {
    return this.#host.path(...names)
  }

  /** Names in the working directory that begin like this. */
  async filesLike(name: string): Promise<string[]> {
    return (await readdir(this.path())).filter((found) => found.startsWith(name)).toSorted()
  }

  async removeFile(name: string): Promise<void> {
    await rm(this.path(name), { force: true })
  }

  async contentsOf(server: Scenario['on'], database: string): Promise<Row[]> {
    await using connection = await this.#servers[server].connect(database)
    return await connection.query(contents)
  }

  /** On the server that is restored onto. */
  async query(sql: string): Promise<Row[]> {
    await using connection = await this.#servers.destination.connect()
    return await connection.query(sql)
  }

  /** On the server that is restored onto. */
  async execute(sql: string): Promise<void> {
    await this.query(sql)
  }

  async hasDatabase(name: string): Promise<boolean> {
    return (await this.query(`SELECT FROM pg_database WHERE datname = '${name}'`)).length > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }
}
