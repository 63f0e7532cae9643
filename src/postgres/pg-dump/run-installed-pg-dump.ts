import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { withoutCoreFile } from '../../core/child-process.ts'
import { AppError, messageOf } from '../../core/app-error.ts'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import type { PgDumpOutcome } from './bundled-pg-dump-module.ts'
import type { Connection } from '../wire/connection.ts'
import { servePgDump } from './pg-dump-session.ts'

/**
 * Runs an installed pg_dump against `connection`, which it takes for a server at a Unix socket that only this user can
 * open. Throws what the connection throws, the signal's reason, and `pg-dump-failed` if the program can not be run;
 * whether it was content is told by the exit code.
 */
export async function runInstalledPgDump(
  path: string,
  programArguments: readonly string[],
  connection: Connection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<PgDumpOutcome> {
  await using directory = await createTemporaryDirectory('pgdump')
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  let served: Promise<void> | undefined
  await using server = createServer((socket) => {
    server.close() // for one
    served = serve(connection, socket, signal)
    served.catch(() => stop.abort()) // the program would wait for ever
  })
  server.listen(join(directory.path, '.s.PGSQL.5432'))
  await once(server, 'listening')
  try {
    const outcome = await run(path, programArguments, { directory: directory.path, signal })
    await served
    return outcome
  } catch (error) {
    options.signal?.throwIfAborted()
    if (stop.signal.aborted) await served // throws what has stopped the program
    if (error instanceof AppError) throw error
    throw new AppError('pg-dump-failed', `"${path}" can not be run: ${messageOf(error)}`, { cause: error })
  }
}

async function serve(connection: Connection, socket: Socket, signal: AbortSignal): Promise<void> {
  socket.on('error', () => undefined) // it is gone; the program's exit code says more
  try {
    await servePgDump(connection, { sent: socket, reply: (bytes) => socket.write(bytes) }, { signal })
  } finally {
    socket.destroy()
  }
}

async function run(
  path: string,
  programArguments: readonly string[],
  { directory, signal }: { readonly directory: string; readonly signal: AbortSignal },
): Promise<PgDumpOutcome> {
  const child = spawn(...withoutCoreFile([path, ...programArguments]), {
    cwd: '/',
    // nothing is inherited, and no home directory is there, so that no file is found
    env: {
      HOME: '/dev/null',
      PGHOST: directory,
      PGPORT: '5432',
      PGUSER: 'pgrevive',
      PGDATABASE: 'pgrevive',
      LC_ALL: 'C',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  const [stdout, stderr, [exitCode, killedBy]] = await Promise.all([
    Array.fromAsync<Uint8Array>(child.stdout),
    Array.fromAsync<Uint8Array>(child.stderr),
    once(child, 'close'),
  ])
  const text = Buffer.concat(stderr).toString()
  return {
    exitCode: exitCode ?? -1,
    stdout: Buffer.concat(stdout),
    stderr: killedBy === null ? text : `${text}pg_dump: error: killed by ${killedBy}\n`,
  }
}
