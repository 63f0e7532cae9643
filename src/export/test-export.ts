import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { choosePgDump } from '../postgres/pg-dump/pg-dump.ts'
import { runClient } from '../postgres/server/test-server.ts'
import { listBackups, readBackupTexts, readManifest } from '../repository/backups/open-backup.ts'
import { type RestoreChoices, restoreEverything } from '../repository/backups/restore-plan.ts'
import { compareDatabase } from '../restore/compare-database.ts'
import { TestBench } from '../restore/test-bench.ts'
import { type ExportOptions, type ExportOutcome, exportBackup } from './export-backup.ts'

/** A test bench that exports into a directory of its own, brings exports back with PostgreSQL's programs, and compares. */
export class ExportBench implements AsyncDisposable {
  readonly bench: TestBench
  readonly directory: string
  #exports = 0

  private constructor(bench: TestBench, directory: string) {
    this.bench = bench
    this.directory = directory
  }

  static async start(): Promise<ExportBench> {
    await using owned = new AsyncDisposableStack()
    const bench = owned.use(await TestBench.start())
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-export-'))
    owned.move()
    return new ExportBench(bench, directory)
  }

  /** Returns the path. */
  async export(
    id: string,
    options: Omit<Partial<ExportOptions>, 'choices'> & { choices?: Partial<RestoreChoices> } = {},
  ): Promise<string> {
    return (await this.exportWithOutcome(id, options)).path
  }

  async exportWithOutcome(
    id: string,
    options: Omit<Partial<ExportOptions>, 'choices'> & { choices?: Partial<RestoreChoices> } = {},
  ): Promise<{ path: string; outcome: ExportOutcome }> {
    const path = join(this.directory, `export-${++this.#exports}`)
    const outcome = await exportBackup(this.bench.repository, await this.#backup(id), {
      format: 'plain',
      compression: { method: 'none' },
      create: false,
      singleTransaction: false,
      jobs: 2,
      output: path,
      ...options,
      choices: { ...restoreEverything, ...options.choices },
    })
    return { path, outcome }
  }

  /** Into a new database, which is returned. */
  async psql(path: string, encoding = 'UTF8'): Promise<ConnectionTarget> {
    const target = await this.bench.database('', { encoding })
    await runClient(target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', path])
    return target
  }

  async pgRestore(
    path: string,
    programArguments: readonly string[] = [],
    encoding = 'UTF8',
  ): Promise<ConnectionTarget> {
    const target = await this.bench.database('', { encoding })
    await runClient(target, 'pg_restore', ['-e', ...programArguments, path])
    return target
  }

  /** pg_restore's list, a line for each entry: `TABLE public t owner`. */
  async list(path: string): Promise<string[]> {
    const printed = await runClient(undefined, 'pg_restore', ['-l', path])
    return printed.split('\n').flatMap((line) => /^\d+; \d+ \d+ (.*)$/.exec(line)?.[1]?.trim() ?? [])
  }

  /** Everything that is in the backup is in the database: rows, sequences, large objects, definitions. */
  async assertEqual(target: ConnectionTarget, id: string): Promise<void> {
    const reader = await this.bench.repository.openReader()
    const manifest = await readManifest(reader, await this.#backup(id))
    const texts = await readBackupTexts(reader, manifest)
    assert.ok(texts.schema)
    const pgDump = await choosePgDump(15, 'auto', { environment: process.env })
    const { differences, compared } = await compareDatabase(target, manifest, {
      jobs: 2,
      schema: { pgDump, ...texts.schema },
      tablespaces: true,
      owners: true,
      largeObjects: texts.largeObjects,
    })
    assert.deepEqual(differences, [])
    assert.equal(compared.schema, true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true })
    await this.bench[Symbol.asyncDispose]()
  }

  async #backup(id: string) {
    const { backups } = await listBackups(this.bench.repository)
    const found = backups.find((backup) => backup.id === id)
    assert.ok(found)
    return found
  }
}
