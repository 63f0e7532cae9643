import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { backUpDatabase } from '../../backup/back-up-database.ts'
import { AppError } from '../../core/app-error.ts'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { type ScratchServer, startScratchServer } from '../../postgres/server/scratch-server.ts'
import { chooseServerBinaries } from '../../postgres/server/server-binaries.ts'
import { createRepository } from '../../repository/create-repository.ts'
import { everything } from '../../repository/backups/manifest.ts'
import type { Repository } from '../../repository/repository.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { proveBackup } from '../../restore/prove-backup.ts'
import { restoreBackup } from '../../restore/restore-backup.ts'
import { restoreEverything } from '../../repository/backups/restore-plan.ts'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import type { CommandContext } from '../command-context.ts'
import type { Outcome } from '../define-command.ts'
import { formatBytes, formatCount, formatDuration } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { recoveryKit } from '../keys/recovery-kit.ts'
import { writeSecretFile } from '../keys/secret-file.ts'
import { createTravelDatabase } from './travel-database.ts'
import { letADayPass } from './travel-day.ts'

export interface DemoChoices {
  readonly scale: number
  readonly keep: boolean
  readonly directory: string | undefined
}

const databaseName = 'travel'

/** Tells a story on a throw-away server: two backups, a loss, a restore and a proof. Every number in it was measured. */
export async function runDemo(choices: DemoChoices, context: CommandContext): Promise<Outcome> {
  await using owned = new AsyncDisposableStack()
  const directory = await prepareDirectory(choices, owned, context)
  const binaries = await chooseServerBinaries(undefined, context)
  const { terminal, environment, signal } = context
  const startedMs = performance.now()
  terminal.say(
    `${terminal.colors.strong('pgrevive demo')}: a database is backed up, lost, brought back, and proven equal\n\n`,
  )
  const server = owned.use(await startScratchServer({ binaries, environment, signal }))
  const story = new Story(context, server, directory)
  await story.fill(choices.scale)
  await story.createRepository()
  const first = await story.backUp('first backup')
  await story.letADayPass()
  const second = await story.backUp('second backup')
  await story.lose()
  await story.restore(second.id)
  const proof = await story.prove(second.id)
  if (proof.outcome === 'refuted') {
    throw new AppError('proof-refuted', 'the restored database differs from what was backed up', {
      hint: 'this is a bug of pgrevive: please report it with the output above',
    })
  }
  const kept = choices.keep ? await story.keep() : undefined
  const tookMs = Math.round(performance.now() - startedMs)
  const { good, strong } = terminal.colors
  const text =
    `\n${good('Nothing was lost.')} The database was dropped and came back as it was at the second backup: ` +
    `all ${formatCount(proof.compared.rows)} rows of ${formatCount(proof.compared.tables)} tables, each compared by its content, ` +
    `and every definition.\nThe second backup is complete by itself and cost ${formatBytes(second.storedBytes)} ` +
    `on top of ${formatBytes(first.storedBytes)}. All of it took ${formatDuration(tookMs)}.\n` +
    (kept === undefined
      ? ''
      : `\nThe repository was kept in ${printable(kept.repository)}:\n` +
        `  ${strong(`pgrevive list --repo ${printable(kept.repository)} --key-file ${printable(kept.keyFile)}`)}\n`) +
    `\nnext: pgrevive init --repo ./backups\n      pgrevive backup postgres://user@host/database --repo ./backups\n`
  return {
    document: { server: server.version, first, second, proof, durationMs: tookMs, ...(kept ? { kept } : {}) },
    text: terminal.quiet ? '' : text,
  }
}

/** Whatever is not to be kept is removed with `owned`. */
async function prepareDirectory(
  { directory, keep }: DemoChoices,
  owned: AsyncDisposableStack,
  context: CommandContext,
): Promise<string> {
  if (directory === undefined) {
    const parent = context.environment['TMPDIR'] ?? tmpdir()
    if (keep) return mkdtemp(join(parent, 'pgrevive-demo-'))
    return owned.use(await createTemporaryDirectory('demo')).createElsewhere(parent)
  }
  const path = resolve(context.currentDirectory, directory)
  try {
    await mkdir(path, { recursive: true })
    if ((await readdir(path)).length === 0) {
      if (!keep) owned.defer(() => rm(path, { recursive: true, force: true }))
      return path
    }
  } catch (error) {
    throw new AppError('store-failed', `the directory ${path} can not be used`, { cause: error })
  }
  throw new AppError('usage-invalid', `the directory ${path} is not empty`, {
    hint: 'name one that does not exist yet',
  })
}

interface BackedUp {
  readonly id: string
  readonly rows: number
  readonly bytes: number
  readonly storedBytes: number
  readonly durationMs: number
}

/** One step of the story each; each tells what it did when it is done. */
class Story {
  readonly #context: CommandContext
  readonly #server: ScratchServer
  readonly #target: ConnectionTarget
  readonly #directory: string
  #opened: Repository | undefined
  #step = 0

  constructor(context: CommandContext, server: ScratchServer, directory: string) {
    this.#context = context
    this.#server = server
    this.#directory = directory
    this.#target = withDatabase(server.target, databaseName)
  }

  async fill(scale: number): Promise<void> {
    const { signal } = this.#context
    await this.#tell('fills a database', async () => {
      await this.#execute(`CREATE DATABASE ${databaseName}`)
      await using connection = await Connection.connect(this.#target, { signal })
      await createTravelDatabase(connection, { scale, signal })
      const [[bytes] = ['0']] = await connection.query(`SELECT pg_database_size('${databaseName}')`, { signal })
      return [
        undefined,
        `a travel planner's database on a throw-away PostgreSQL ${this.#server.version}: ${formatBytes(Number(bytes))}`,
      ]
    })
  }

  async createRepository(): Promise<void> {
    await this.#tell('creates a repository', async () => {
      const store = await DirectoryStore.create(join(this.#directory, 'repository'))
      this.#opened = (await createRepository(store, { signal: this.#context.signal })).repository
      return [undefined, 'an encrypted repository in a directory']
    })
  }

  async backUp(title: string): Promise<BackedUp> {
    const startedMs = performance.now()
    return this.#tell(title, async () => {
      const { id, record } = await backUpDatabase(this.#target, [this.#repository], {
        database: databaseName,
        selection: everything,
        jobs: (await this.#context.settings()).jobs,
        pgDump: 'auto',
        environment: this.#context.environment,
        signal: this.#context.signal,
      })
      const { rows, bytes } = record.totals
      const storedBytes = record.added.bytes
      const backedUp = { id, rows, bytes, storedBytes, durationMs: Math.round(performance.now() - startedMs) }
      return [
        backedUp,
        `${title}: ${formatCount(rows)} rows, ${formatBytes(bytes)} read, ${formatBytes(storedBytes)} stored`,
      ]
    })
  }

  async letADayPass(): Promise<void> {
    await this.#tell('a day passes', async () => {
      await using connection = await Connection.connect(this.#target, this.#context)
      const { added, changed, deleted } = await letADayPass(connection, this.#context)
      return [
        undefined,
        `a day passes: ${formatCount(added)} rows added, ${formatCount(changed)} changed, ${formatCount(deleted)} deleted`,
      ]
    })
  }

  async lose(): Promise<void> {
    await this.#tell('loses the database', async () => {
      await this.#execute(`DROP DATABASE ${databaseName}`)
      return [undefined, `DROP DATABASE ${databaseName}: it is gone`]
    })
  }

  async restore(id: string): Promise<void> {
    await this.#tell('restores it', async () => {
      const restored = await restoreBackup(this.#repository, await this.#backup(id), this.#target, {
        choices: restoreEverything,
        createRoles: false,
        jobs: (await this.#context.settings()).jobs,
        analyze: true,
        signal: this.#context.signal,
      })
      return [
        undefined,
        `restored: ${formatCount(restored.rows)} rows of ${formatCount(restored.tables)} tables, indexes and constraints`,
      ]
    })
  }

  async prove(id: string) {
    return this.#tell('proves it', async () => {
      const proof = await proveBackup(this.#repository, await this.#backup(id), {
        assertions: [],
        jobs: (await this.#context.settings()).jobs,
        environment: this.#context.environment,
        signal: this.#context.signal,
      })
      return [proof, `${proof.outcome}: restored once more into a second server, and every table compared`]
    })
  }

  async keep(): Promise<{ repository: string; keyFile: string }> {
    const keyFile = join(this.#directory, 'recovery-kit.txt')
    await writeSecretFile(keyFile, await recoveryKit(this.#repository, this.#repository.key))
    return { repository: this.#repository.store.location, keyFile }
  }

  get #repository(): Repository {
    if (!this.#opened) throw new Error('the repository is not created yet')
    return this.#opened
  }

  async #backup(id: string) {
    const { backups } = await listBackups(this.#repository, this.#context)
    const found = backups.find((backup) => backup.id === id)
    if (!found) throw new AppError('backup-unknown', `the backup ${id} is not listed`)
    return found
  }

  async #execute(sql: string): Promise<void> {
    await using connection = await Connection.connect(this.#server.target, this.#context)
    await connection.execute(sql, this.#context)
  }

  /** Runs a step, whose second value is what there is to say about it. */
  async #tell<Result>(title: string, step: () => Promise<readonly [Result, string]>): Promise<Result> {
    const { terminal } = this.#context
    const startedMs = performance.now()
    terminal.showStatus(`${++this.#step}            ${title} …`)
    const [result, text] = await step()
    terminal.showStatus('')
    const took = formatDuration(performance.now() - startedMs).padStart(8)
    terminal.say(`${terminal.colors.strong(String(this.#step))}  ${terminal.colors.faint(took)}  ${text}\n`)
    return result
  }
}
