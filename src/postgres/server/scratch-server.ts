import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError, hasCode, messageOf } from '../../core/app-error.ts'
import { resolveConnection, type ConnectionTarget, type Environment } from '../target/connection-target.ts'
import { PostgresProcess } from './postgres-process.ts'
import { prepareServerBinaries } from './prepare-server-binaries.ts'
import { createScratchCluster } from './scratch-cluster.ts'
import { removeLeftovers } from './leftovers.ts'
import { createScratchDirectory, type ScratchDirectory } from './scratch-directory.ts'
import { findServerAccount, serverEnvironment } from './server-account.ts'
import type { ServerBinaries } from './server-binaries.ts'

/** A throw-away PostgreSQL that only its creator can reach. Disposal stops it and removes every trace. */
export interface ScratchServer extends AsyncDisposable {
  /** User `postgres`, a superuser; database `postgres`; over a Unix socket. */
  readonly target: ConnectionTarget
  readonly major: number
  readonly version: string
  /** Holds the log and the socket. */
  readonly directory: string
  /** Where TMPDIR says, for all that is large; the cluster lies in it. */
  readonly storageDirectory: string
  readonly processId: number
  /** The end of the server's log, at most 16 kB. */
  log(): Promise<string>
}

export interface ScratchServerOptions {
  readonly binaries: ServerBinaries
  /** Added to postgresql.conf; they win over the scratch server's own. */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /** Where the cluster is to lie, TMPDIR or /tmp unless named; the user that the server runs as must be able to reach it. */
  readonly parentDirectory?: string | undefined
  /** C unless named. */
  readonly locale?: string | undefined
  readonly initdbArguments?: readonly string[] | undefined
  readonly environment: Environment
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts a server that ends with pgrevive, even if pgrevive is killed; what a killed one left is removed by the next
 * start. Throws `postgres-start-failed` with PostgreSQL's own words.
 */
export async function startScratchServer(options: ScratchServerOptions): Promise<ScratchServer> {
  await removeLeftovers()
  await using owned = new AsyncDisposableStack()
  try {
    const server = await startIn(owned, options)
    const held = owned.move()
    return { ...server, [Symbol.asyncDispose]: () => held.disposeAsync() }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (noSpace.test(messageOf(error))) throw scratchServerFull('no scratch server could be started', error, options)
    if (hasCode(error, 'postgres-start-failed')) throw error
    throw new AppError('postgres-start-failed', `no scratch server could be started: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const noSpace = /No space left on device|ENOSPC/

/** A failure that the server's log lays to its disk, in the words of that; any other as it is. */
export async function explainFailureOn(
  server: ScratchServer,
  error: unknown,
  options: Pick<ScratchServerOptions, 'parentDirectory' | 'environment'>,
): Promise<unknown> {
  const isFull = hasCode(error, 'server-full') || (error instanceof AppError && noSpace.test(await server.log()))
  return isFull ? scratchServerFull(error.message, error, options) : error
}

function scratchServerFull(
  message: string,
  cause: unknown,
  options: Pick<ScratchServerOptions, 'parentDirectory' | 'environment'>,
): AppError {
  return new AppError('server-full', message, {
    cause,
    hint: `this says nothing about the backup: free space in ${parentDirectoryOf(options)}, where the scratch server lies, or set TMPDIR to a directory with room for the whole database`,
  })
}

function parentDirectoryOf({
  parentDirectory,
  environment,
}: Pick<ScratchServerOptions, 'parentDirectory' | 'environment'>): string {
  return parentDirectory ?? environment['TMPDIR'] ?? tmpdir()
}

async function startIn(
  owned: AsyncDisposableStack,
  options: ScratchServerOptions,
): Promise<Omit<ScratchServer, keyof AsyncDisposable>> {
  const { binaries, signal } = options
  const account = await findServerAccount()
  const directory = owned.use(await createScratchDirectory({ account, parentDirectory: parentDirectoryOf(options) }))
  const copyDirectory = join(directory.path, 'postgres')
  const binDirectory = await prepareServerBinaries(binaries, { ...options, account, copyDirectory })
  const password = randomBytes(18).toString('base64url')
  const server = { binDirectory, account, environment: serverEnvironment(options.environment) }
  await createScratchCluster({ ...options, ...server, directory, password })
  signal?.throwIfAborted()
  const { dataDirectory, path } = directory
  const logFile = join(path, 'log')
  const running = owned.use(await PostgresProcess.start({ ...server, dataDirectory, logFile, signal }))
  return {
    target: await resolveTarget(directory, password),
    major: binaries.major,
    version: binaries.version,
    directory: path,
    storageDirectory: directory.storageDirectory,
    processId: running.processId,
    log: () => running.log(),
  }
}

/** With an environment of its own: PGOPTIONS and the like are meant for other servers. */
async function resolveTarget(directory: ScratchDirectory, password: string): Promise<ConnectionTarget> {
  const host = encodeURIComponent(directory.socketDirectory)
  const uri = `postgresql://postgres:${password}@/postgres?host=${host}&port=5432&sslmode=disable`
  return resolveConnection(uri, { environment: {} })
}
