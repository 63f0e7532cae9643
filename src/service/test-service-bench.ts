import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { type TestServer, loadSql, startTestServer } from '../postgres/server/test-server.ts'
import type { Environment } from '../postgres/target/connection-target.ts'

const program = fileURLToPath(new URL('../../bin/pgrevive.js', import.meta.url))

/** A scratch server with the databases `shop` and `app`, a directory repository, and a pgrevive.yaml that names them. */
export class ServiceBench implements AsyncDisposable {
  readonly server: TestServer
  readonly directory: string
  readonly environment: Environment

  private constructor(server: TestServer, directory: string, environment: Environment) {
    this.server = server
    this.directory = directory
    this.environment = environment
  }

  static async start(): Promise<ServiceBench> {
    const server = await startTestServer()
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-service-'))
    await mkdir(join(directory, 'home'))
    const [host] = server.target.hosts
    assert.ok(host)
    const bench = new ServiceBench(server, directory, {
      PATH: process.env['PATH'],
      HOME: join(directory, 'home'),
      XDG_CONFIG_HOME: join(directory, 'home', 'config'),
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
      XDG_DATA_HOME: process.env['XDG_DATA_HOME'],
      PGHOST: host.host,
      PGPORT: String(host.port),
      PGUSER: server.target.user,
      PGPASSWORD: server.target.password(host),
    })
    for (const name of ['shop', 'app']) {
      await loadSql(server.target, `CREATE DATABASE ${name} TEMPLATE template0`)
      await loadSql(
        bench.target(name),
        `CREATE TABLE orders AS SELECT id, md5(id::text) FROM generate_series(1, 1000) id`,
      )
    }
    await bench.configure()
    bench.pgrevive('init')
    return bench
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  get configFile(): string {
    return this.path('pgrevive.yaml')
  }

  target(database: string): TestServer['target'] {
    return { ...this.server.target, database }
  }

  /** pgrevive.yaml with more in it. */
  async configure(more = ''): Promise<void> {
    await writeFile(
      this.configFile,
      `repositories: { local: ./backups }\ndatabases: { shop: { url: postgres:///shop }, app: { url: postgres:///app } }\n${more}\n`,
    )
  }

  /** Backups begin with a step that says so in a file, `begun`, and then waits for a file, `gate`. */
  async configureGate(more = ''): Promise<void> {
    const step = 'echo "$PGREVIVE_DATABASE" >> begun; while [ ! -e gate ]; do sleep 0.05; done'
    await this.configure(`hooks: { before_backup: [{ run: '${step}' }] }\n${more}`)
  }

  async begun(): Promise<string[]> {
    return (await readFile(this.path('begun'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
  }

  async openGate(): Promise<void> {
    await writeFile(this.path('gate'), '')
  }

  async closeGate(): Promise<void> {
    await rm(this.path('gate'), { force: true })
    await rm(this.path('begun'), { force: true })
  }

  /** Runs a command that must succeed, and returns its document. */
  pgrevive(...words: string[]): unknown {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--json', ...words], {
      cwd: this.directory,
      env: { ...this.environment },
      encoding: 'utf8',
    })
    assert.equal(status, 0, stdout + stderr)
    return JSON.parse(stdout)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Waits until `found` returns something. */
export async function until<Value>(
  found: () => Value | undefined | false | Promise<Value | undefined | false>,
  patienceMs = 30_000,
): Promise<Value> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const value = await found()
    if (value !== undefined && value !== false) return value
    assert.ok(Date.now() < deadline, 'waited in vain')
    await delay(10)
  }
}
