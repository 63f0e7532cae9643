import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backUpDatabase } from '../backup/back-up-database.ts'
import type { BackupOptions } from '../backup/backup-options.ts'
import { Connection, type Row } from '../postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../postgres/server/test-server.ts'
import type { Proof } from '../repository/backups/backup-record.ts'
import { createRepository } from '../repository/create-repository.ts'
import { everything } from '../repository/backups/manifest.ts'
import type { Repository } from '../repository/repository.ts'
import { DirectoryStore } from '../store/directory/directory-store.ts'
import { listBackups } from '../repository/backups/open-backup.ts'
import { type ProveOptions, proveBackup } from './prove-backup.ts'
import { restoreBackup } from './restore-backup.ts'
import type { RestoreOptions, RestoreOutcome } from './restore-job.ts'
import { type RestoreChoices, restoreEverything } from '../repository/backups/restore-plan.ts'

const environment = process.env

/** A server and a repository for one test file, and the engines with what most tests want of them. */
export class TestBench implements AsyncDisposable {
  readonly server: TestServer
  readonly repository: Repository
  readonly #held: AsyncDisposableStack

  private constructor(server: TestServer, repository: Repository, held: AsyncDisposableStack) {
    this.server = server
    this.repository = repository
    this.#held = held
  }

  /** `averageChunkBytes`: of the repository; small ones make many of little data. */
  static async start({
    averageChunkBytes,
    ...options
  }: Parameters<typeof startTestServer>[0] & { readonly averageChunkBytes?: number } = {}): Promise<TestBench> {
    await using owned = new AsyncDisposableStack()
    const server = owned.use(await startTestServer(options))
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-bench-'))
    owned.defer(() => rm(directory, { recursive: true, force: true }))
    const { repository } = await createRepository(await DirectoryStore.create(directory), { averageChunkBytes })
    return new TestBench(server, repository, owned.move())
  }

  /** A new database that holds what `sql` makes. */
  async database(sql = '', options: { readonly encoding?: string } = {}): Promise<ConnectionTarget> {
    const target = await this.server.createDatabase(options)
    if (sql !== '') await loadSql(target, sql)
    return target
  }

  /** Returns the id. */
  async backUp(
    target: ConnectionTarget,
    options: Omit<Partial<BackupOptions>, 'selection'> & { selection?: Partial<BackupOptions['selection']> } = {},
  ): Promise<string> {
    return (await this.backUpWithRecord(target, options)).id
  }

  backUpWithRecord(
    target: ConnectionTarget,
    options: Omit<Partial<BackupOptions>, 'selection'> & { selection?: Partial<BackupOptions['selection']> } = {},
  ) {
    const selection = { ...everything, ...options.selection }
    const usual = { database: target.database, jobs: 2, pgDump: 'auto', environment } as const
    return backUpDatabase(target, [this.repository], { ...usual, ...options, selection })
  }

  async prove(id: string, options: Partial<ProveOptions> = {}): Promise<Proof> {
    return proveBackup(this.repository, await this.#backup(id), { assertions: [], jobs: 2, environment, ...options })
  }

  /** Fails with what differs. */
  async expectProven(id: string, options: Partial<ProveOptions> = {}): Promise<Proof> {
    const proof = await this.prove(id, options)
    assert.deepEqual(proof.differences, [])
    assert.equal(proof.outcome, 'proven')
    return proof
  }

  async restore(
    id: string,
    database: string,
    choices: Partial<RestoreChoices> = {},
    options: Partial<RestoreOptions & { target: ConnectionTarget }> = {},
  ): Promise<ConnectionTarget & { readonly outcome: RestoreOutcome }> {
    const target = withDatabase(options.target ?? this.server.target, database)
    const outcome = await restoreBackup(this.repository, await this.#backup(id), target, {
      choices: { ...restoreEverything, ...choices },
      createRoles: false,
      jobs: 2,
      analyze: true,
      ...options,
    })
    return { ...target, outcome }
  }

  async query(target: ConnectionTarget, sql: string): Promise<Row[]> {
    await using connection = await Connection.connect(target)
    return await connection.query(sql)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  async #backup(id: string) {
    const { backups } = await listBackups(this.repository)
    const found = backups.find((backup) => backup.id === id)
    assert.ok(found)
    return found
  }
}
