import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTravelDatabase } from '../../src/cli/demo/travel-database.ts'
import { Connection } from '../../src/postgres/wire/connection.ts'
import type { ConnectionTarget } from '../../src/postgres/target/connection-target.ts'
import { findServerBinaries } from '../../src/postgres/server/server-binaries.ts'
import { startTestServer } from '../../src/postgres/server/test-server.ts'
import { parseKeyFile } from '../../src/repository/keys/key-file.ts'
import { openRepository } from '../../src/repository/open-repository.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { DirectoryStore } from '../../src/store/directory/directory-store.ts'
import { measure, type Measurement } from './measure.ts'

/** A server with one database, an empty folder, and shell commands that know both. */
export interface Workplace extends AsyncDisposable {
  readonly connection: Connection
  readonly folder: string
  /** For programs that know libpq's variables. */
  readonly environment: NodeJS.ProcessEnv
  readonly target: ConnectionTarget
  readonly databaseBytes: number
  /** Of the programs that take part, as `name version`. */
  readonly versions: readonly string[]
  /** Whether a program is installed. */
  readonly has: (program: string) => boolean
  readonly run: (command: string) => Promise<Measurement>
}

const peers = {
  restic: ['version'],
  pgbackrest: ['version'],
  pgcopydb: ['--version'],
  zstd: ['--version'],
} as const

export async function prepareWorkplace(fill: (connection: Connection) => Promise<void>): Promise<Workplace> {
  const environment = process.env
  const installed = (await findServerBinaries({ environment })).findLast(({ source }) => source === 'installed')
  if (!installed) throw new Error('the benchmark needs an installed PostgreSQL with psql, pg_dump and pg_restore')
  const { directory: bin, major, version } = installed
  const versions = new Map<string, string>()
  for (const [program, args] of Object.entries(peers)) {
    const { stdout } = await promisify(execFile)(program, args).catch(() => ({ stdout: '' }))
    const found = /\d+\.\d+(?:\.\d+)?/.exec(stdout)?.[0]
    if (found !== undefined) versions.set(program, found)
  }

  await using stack = new AsyncDisposableStack()
  // as servers in use are, where a load can not do without WAL
  const settings = { max_wal_size: '8GB', shared_buffers: '512MB', wal_level: 'replica', max_wal_senders: '4' }
  const server = stack.use(await startTestServer({ major, settings }))
  const target = await server.createDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'pgrevive-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const [host] = target.hosts
  const env: NodeJS.ProcessEnv = {
    PATH: `${join(import.meta.dirname, '../../node_modules/.bin')}:${bin}:${environment['PATH']}`,
    HOME: folder,
    PGHOST: host?.host,
    PGPORT: String(host?.port),
    PGUSER: target.user,
    PGDATABASE: target.database,
    PGPASSWORD: host && target.password(host),
    PGREVIVE_REPO: join(folder, 'repository'),
    RESTIC_REPOSITORY: join(folder, 'restic'),
    RESTIC_PASSWORD: 'benchmark',
    PGREVIVE: `node --import ${join(import.meta.dirname, 'note-peak.mjs')} ${join(import.meta.dirname, '../../bin/pgrevive.js')}`,
  }
  const connection = stack.use(await Connection.connect(target))
  await fill(connection)
  await connection.execute('VACUUM ANALYZE')
  await connection.execute('CHECKPOINT')
  const [[databaseBytes] = ['0']] = await connection.query('SELECT pg_database_size(current_database())')
  const owned = stack.move()
  return {
    connection,
    folder,
    environment: env,
    target,
    databaseBytes: Number(databaseBytes),
    versions: [`PostgreSQL ${version}`, `Node ${process.version}`, ...[...versions].map((pair) => pair.join(' '))],
    has: (program) => versions.has(program),
    run: (command) => measure(command, { cwd: folder, env }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** What a backup has made in the workplace, with its key. */
export async function openWorkRepository(folder: string): Promise<Repository> {
  const keys = join(folder, '.config/pgrevive')
  const [name = ''] = await readdir(keys)
  const key = parseKeyFile(await readFile(join(keys, name), 'utf8'))
  return openRepository(await DirectoryStore.open(join(folder, 'repository')), { keys: [key] })
}

/** Fills a database as the guides' travel planner would. */
export function travel(scale: number): (connection: Connection) => Promise<void> {
  return async (connection) => {
    process.stderr.write(`filling a database at scale ${scale} …\n`)
    await createTravelDatabase(connection, { scale })
  }
}

/** Of a file or a whole folder, in bytes. */
export async function sizeOf(path: string): Promise<number> {
  const info = await stat(path)
  if (!info.isDirectory()) return info.size
  const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))))
  return sizes.reduce((sum, size) => sum + size, 0)
}
