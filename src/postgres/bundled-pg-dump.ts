import { once } from 'node:events'
import type { Socket } from 'node:net'
import { extname } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { AppError, messageOf } from '../core/app-error.ts'
import type { PgDumpOutcome } from './bundled-pg-dump-module.ts'
import type { BundledPgDumpMessage, BundledPgDumpWork } from './bundled-pg-dump-worker.ts'
import { Connection } from './connection.ts'
import { describeHost, type ConnectionTarget } from './connection-target.ts'
import { connectionLoss } from './socket-error.ts'

/** Of the pg_dump in @electric-sql/pglite-tools. */
export const bundledPgDumpVersion = '18.3'

/** What a server says to a client that needs no password: AuthenticationOk. */
const authenticationOk = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])

const cancelMs = 2_000

/**
 * Runs the bundled pg_dump in a thread of its own, over a connection that pgrevive opens: no secret reaches the module,
 * and none of its arguments says where it connects. The dump is in the database's encoding unless the arguments name
 * one. Throws what `Connection.connect` throws, `connection-lost` with pg_dump's own words if the server goes away, and
 * `pg-dump-failed` if the module crashes; whether pg_dump was content is told by the exit code.
 */
export async function dumpWithBundledPgDump(
  target: ConnectionTarget,
  programArguments: readonly string[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<PgDumpOutcome> {
  const { signal } = options
  await using connection = await Connection.connect(target, { signal })
  const encoding = connection.parameters.get('server_encoding') ?? 'UTF8'
  const { socket, greeting } = connection.takeSocket()
  using _socket = { [Symbol.dispose]: () => void socket.destroy() }
  const { port1: port, port2 } = new MessageChannel()
  using _port = { [Symbol.dispose]: () => port.close() }
  const arrivals = new Int32Array(new SharedArrayBuffer(4))
  const deliver = (bytes: Uint8Array) => {
    const copy = new Uint8Array(bytes)
    port.postMessage(copy, [copy.buffer])
    Atomics.add(arrivals, 0, 1)
    Atomics.notify(arrivals, 0)
  }
  deliver(Buffer.concat([authenticationOk, greeting]))
  const failureOf = passServerBytes(socket, deliver)

  await using worker = startWorker({
    // The module has no source of random numbers, so the key of the \\restrict lines is given.
    arguments: ['--restrict-key=pgrevive', `--encoding=${encoding}`, ...programArguments],
    environment: { PGHOST: '/', PGUSER: 'pgrevive', PGDATABASE: 'pgrevive' },
    port: port2,
    arrivals,
  })
  const { outcome, serverGone } = await waitForExit(worker, connection, socket, signal)
  if (!serverGone || outcome.exitCode === 0) return outcome
  const loss = connectionLoss(failureOf(), describeHost(connection.host))
  throw new AppError(loss.code, `${loss.message} while pg_dump was at work`, {
    ...(loss.hint === undefined ? {} : { hint: loss.hint }),
    cause: new Error(outcome.stderr.trim(), { cause: loss.cause }),
  })
}

function startWorker(work: BundledPgDumpWork): Worker {
  // This file ends in .ts when it runs from sources and in .js when it has been compiled.
  const file = new URL(`./bundled-pg-dump-worker${extname(import.meta.url)}`, import.meta.url)
  return new Worker(file, { workerData: work, transferList: [work.port], env: {}, name: 'pg_dump' })
}

/** Delivers an empty piece at the end. The result tells why the socket broke, if it did. */
function passServerBytes(socket: Socket, deliver: (bytes: Uint8Array) => void): () => unknown {
  let failure: unknown
  socket.on('data', deliver)
  socket.once('error', (error) => (failure = error))
  socket.once('close', () => deliver(new Uint8Array()))
  socket.resume()
  return () => failure
}

/** Sends what the worker wants sent, until it is done. An abort cancels what the server is doing for it. */
async function waitForExit(
  worker: Worker,
  connection: Connection,
  socket: Socket,
  signal: AbortSignal | undefined,
): Promise<Extract<BundledPgDumpMessage, { kind: 'exit' }>> {
  let exit: Extract<BundledPgDumpMessage, { kind: 'exit' }> | undefined
  worker.on('message', (message: BundledPgDumpMessage) => {
    if (message.kind === 'exit') exit = message
    else if (socket.writable) socket.write(message.bytes)
  })
  try {
    await once(worker, 'exit', signal ? { signal } : {})
  } catch (error) {
    // A server that waits for a lock does not notice that its client has left. Whether it could be told changes nothing.
    if (signal?.aborted) await connection.cancel({ signal: AbortSignal.timeout(cancelMs) }).catch(() => undefined)
    signal?.throwIfAborted()
    throw new AppError('pg-dump-failed', `the bundled pg_dump crashed: ${messageOf(error)}`, { cause: error })
  }
  if (exit) return exit
  throw new AppError('pg-dump-failed', 'the bundled pg_dump ended without a result')
}
