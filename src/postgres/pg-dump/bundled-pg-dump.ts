import { once } from 'node:events'
import { extname } from 'node:path'
import { PassThrough } from 'node:stream'
import { MessageChannel, Worker } from 'node:worker_threads'
import { AppError, messageOf } from '../../core/app-error.ts'
import type { PgDumpOutcome } from './bundled-pg-dump-module.ts'
import type { BundledPgDumpMessage, BundledPgDumpWork } from './bundled-pg-dump-worker.ts'
import type { Connection } from '../wire/connection.ts'
import { servePgDump } from './pg-dump-session.ts'

/** Of the pg_dump in @electric-sql/pglite-tools. */
export const bundledPgDumpVersion = '18.3'

/**
 * Runs the bundled pg_dump in a thread of its own, against `connection`. Throws what the connection throws, the signal's reason, and `pg-dump-failed` if the module crashes;
 * whether pg_dump was content is told by the exit code.
 */
export async function runBundledPgDump(
  programArguments: readonly string[],
  connection: Connection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<PgDumpOutcome> {
  const { signal } = options
  const { port1: port, port2 } = new MessageChannel()
  using _port = { [Symbol.dispose]: () => port.close() }
  const arrivals = new Int32Array(new SharedArrayBuffer(4))
  const reply = (bytes: Uint8Array) => {
    const copy = new Uint8Array(bytes)
    port.postMessage(copy, [copy.buffer])
    Atomics.add(arrivals, 0, 1)
    Atomics.notify(arrivals, 0)
  }
  await using worker = startWorker({
    arguments: programArguments,
    environment: { PGHOST: '/', PGUSER: 'pgrevive', PGDATABASE: 'pgrevive' },
    port: port2,
    arrivals,
  })
  const sent = new PassThrough()
  let outcome: PgDumpOutcome | undefined
  worker.on('message', (message: BundledPgDumpMessage) => {
    if (message.kind === 'exit') outcome = message.outcome
    else sent.write(message.bytes)
  })
  worker.once('exit', () => sent.end())
  const crash = once(worker, 'exit').then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  await servePgDump(connection, { sent, reply }, { signal })
  const crashed = await crash
  signal?.throwIfAborted()
  if (crashed) {
    throw new AppError('pg-dump-failed', `the bundled pg_dump crashed: ${messageOf(crashed.error)}`, {
      cause: crashed.error,
    })
  }
  if (outcome) return outcome
  throw new AppError('pg-dump-failed', 'the bundled pg_dump ended without a result')
}

function startWorker(work: BundledPgDumpWork): Worker {
  // This file ends in .ts when it runs from sources and in .js when it has been compiled.
  const file = new URL(`./bundled-pg-dump-worker${extname(import.meta.url)}`, import.meta.url)
  return new Worker(file, { workerData: work, transferList: [work.port], env: {}, name: 'pg_dump' })
}
