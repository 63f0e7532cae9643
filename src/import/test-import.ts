import { localFiles } from './dump-files.ts'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { runClient } from '../postgres/server/test-server.ts'
import type { LargeObject } from '../postgres/catalog/large-objects.ts'
import { listBackups, readBackupTexts, readGlobals, readManifest } from '../repository/backups/open-backup.ts'
import { ExportBench } from '../export/test-export.ts'
import { type ImportOptions, type Imported, importDump } from './import-dump.ts'

/** A test bench that makes dumps with PostgreSQL's own pg_dump, imports them, and compares. */
export class ImportBench implements AsyncDisposable {
  readonly exports: ExportBench

  private constructor(exports: ExportBench) {
    this.exports = exports
  }

  static async start(): Promise<ImportBench> {
    return new ImportBench(await ExportBench.start())
  }

  path(name: string): string {
    return join(this.exports.directory, name)
  }

  /** Returns the path. */
  async dump(target: ConnectionTarget, name: string, ...programArguments: readonly string[]): Promise<string> {
    await runClient(target, 'pg_dump', [...programArguments, '-f', this.path(name)])
    return this.path(name)
  }

  async write(name: string, bytes: Buffer | string): Promise<string> {
    await writeFile(this.path(name), bytes)
    return this.path(name)
  }

  /** A copy with other bytes. */
  async rewrite(path: string, name: string, change: (bytes: Buffer) => Buffer): Promise<string> {
    return this.write(name, change(await readFile(path)))
  }

  async encrypt(path: string, name: string, secret: string, ...options: readonly string[]): Promise<string> {
    const [source, target] = [path, this.path(name)]
    const openssl = ['enc', '-aes-256-cbc', '-salt', ...options, '-pass', 'env:SECRET', '-in', source, '-out', target]
    await promisify(execFile)('openssl', openssl, { env: { ...process.env, SECRET: secret } })
    return target
  }

  async import(path: string, options: Partial<ImportOptions> = {}): Promise<Imported> {
    const { repository } = this.exports.bench
    const { backups } = await listBackups(repository)
    return importDump({ path, files: localFiles, named: true }, repository, {
      trusted: false,
      jobs: 2,
      pgDump: 'auto',
      environment: process.env,
      backups,
      passphrase: async () => undefined,
      ...options,
    })
  }

  /** The database that was dumped is what the backup says, which proves. */
  async assertSame(original: ConnectionTarget, imported: Imported): Promise<void> {
    await this.exports.assertEqual(original, imported.id)
    await this.exports.bench.expectProven(imported.id)
  }

  /** Of a backup: all but their bytes. */
  async largeObjects(id: string): Promise<readonly LargeObject[]> {
    const { reader, manifest } = await this.#open(id)
    return (await readBackupTexts(reader, manifest)).largeObjects
  }

  async knowsPasswords(id: string): Promise<boolean> {
    const { reader, manifest } = await this.#open(id)
    const { passwords, roles } = await readGlobals(reader, manifest)
    return passwords || manifest.rolePasswords || roles.some(({ password }) => password !== null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exports[Symbol.asyncDispose]()
  }

  async #open(id: string) {
    const { repository } = this.exports.bench
    const reader = await repository.openReader()
    const backup = (await listBackups(repository)).backups.find((it) => it.id === id)
    if (!backup) throw new Error(`there is no backup ${id}`)
    return { reader, manifest: await readManifest(reader, backup) }
  }
}
