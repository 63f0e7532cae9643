import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Connection } from '../wire/connection.ts'
import { withDatabase, type ConnectionTarget } from '../target/connection-target.ts'
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'
import { startScratchServer, type ScratchServer } from './scratch-server.ts'
import { chooseServerBinaries, findServerBinaries } from './server-binaries.ts'

/** A server for one test file. */
export interface TestServer extends ScratchServer {
  /** A new database under a name of its own, with nothing in it; encoding UTF8 and locale C unless named. */
  createDatabase(options?: {
    readonly encoding?: string | undefined
    readonly locale?: string | undefined
    /** A database of this server to copy, which nobody may be connected to. */
    readonly template?: string | undefined
  }): Promise<ConnectionTarget>
  /** A session of the superuser. The caller closes it. */
  connect(database?: string): Promise<Connection>
}

/** Installed PostgreSQL 15 unless another major version is asked for, else an embedded one, else the next above. */
export async function startTestServer(
  options: { readonly major?: number; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<TestServer> {
  const environment = process.env
  const binaries = await chooseServerBinaries(options.major ?? 15, { environment })
  const server = await startScratchServer({ binaries, settings: options.settings, environment })
  const connect = (database = 'postgres') => Connection.connect(withDatabase(server.target, database))
  let created = 0
  return {
    ...server,
    connect,
    createDatabase: async ({ encoding = 'UTF8', locale = 'C', template = 'template0' } = {}) => {
      const name = `test_${++created}`
      await using connection = await connect()
      const properties = `ENCODING ${quoteLiteral(encoding)} LOCALE ${quoteLiteral(locale)}`
      const source = `TEMPLATE ${quoteIdentifier(template)}`
      await connection.execute(
        `CREATE DATABASE ${quoteIdentifier(name)} ${source} ${template === 'template0' ? properties : ''}`,
      )
      return withDatabase(server.target, name)
    },
  }
}

/**
 * Runs SQL, or a file, which is told by its ending: `.sql` by psql, `.dump` by pg_restore, both of the newest installed
 * PostgreSQL. `variables` are psql's.
 */
export async function loadSql(
  target: ConnectionTarget,
  textOrPath: string,
  options: { readonly variables?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  if (/^\S+\.sql$/.test(textOrPath)) {
    const variables = Object.entries(options.variables ?? {}).flatMap(([name, value]) => ['-v', `${name}=${value}`])
    await runClient(target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', ...variables, '-f', textOrPath])
  } else if (/^\S+\.dump$/.test(textOrPath)) {
    await runClient(target, 'pg_restore', ['-e', '-j2', textOrPath])
  } else {
    await using connection = await Connection.connect(target)
    await connection.execute(textOrPath)
  }
}

/** Runs psql, pg_restore or pg_dump of the newest installed PostgreSQL, on a database if one is named. Returns its stdout. */
export async function runClient(
  target: ConnectionTarget | undefined,
  program: 'psql' | 'pg_restore' | 'pg_dump',
  programArguments: readonly string[],
): Promise<string> {
  const found = await findServerBinaries({ environment: process.env })
  const installed = found.findLast((binaries) => binaries.source === 'installed')
  if (!installed) throw new Error(`${program} is needed; install PostgreSQL`)
  const [host] = target?.hosts ?? []
  const database =
    target && host ? ['-h', host.host, '-p', String(host.port), '-U', target.user, '-d', target.database] : []
  const env = { PATH: process.env['PATH'], PGPASSWORD: target && host && target.password(host) }
  const path = join(installed.directory, program)
  const ran = await promisify(execFile)(path, [...database, ...programArguments], { env, maxBuffer: 2 ** 28 })
  return ran.stdout
}
