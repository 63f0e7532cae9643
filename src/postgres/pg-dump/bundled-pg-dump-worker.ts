import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { runPgDumpModule, type PgDumpOutcome, type PgDumpSocket } from './bundled-pg-dump-module.ts'

/** What the worker is started with. */
export interface BundledPgDumpWork {
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Brings what the server sends. */
  readonly port: MessagePort
  /** One number, which grows with each piece that was put into the port. */
  readonly arrivals: Int32Array
}

/** What the worker tells its parent. */
export type BundledPgDumpMessage =
  { readonly kind: 'send'; readonly bytes: Uint8Array } | { readonly kind: 'exit'; readonly outcome: PgDumpOutcome }

/** The module's end of the connection: puts the thread to sleep while there is nothing to read. */
class PortSocket implements PgDumpSocket {
  readonly #port: MessagePort
  readonly #arrivals: Int32Array
  #piece: Uint8Array = new Uint8Array()

  constructor({ port, arrivals }: BundledPgDumpWork) {
    this.#port = port
    this.#arrivals = arrivals
  }

  send(bytes: Uint8Array): void {
    tellParent({ kind: 'send', bytes })
  }

  get ready(): boolean {
    if (this.#piece.length > 0) return true
    const received: { message: Uint8Array } | undefined = receiveMessageOnPort(this.#port)
    if (!received) return false
    this.#piece = received.message
    return true
  }

  receive(buffer: Uint8Array): number {
    for (;;) {
      // Read before the port is looked into: a piece that arrives after that ends the wait at once.
      const arrived = Atomics.load(this.#arrivals, 0)
      if (this.ready) break
      Atomics.wait(this.#arrivals, 0, arrived)
    }
    const part = this.#piece.subarray(0, buffer.length)
    buffer.set(part)
    this.#piece = this.#piece.subarray(part.length)
    return part.length
  }
}

function tellParent(message: BundledPgDumpMessage): void {
  parentPort?.postMessage(message)
}

const work: BundledPgDumpWork = workerData
const outcome = runPgDumpModule(work.arguments, work.environment, new PortSocket(work))
tellParent({ kind: 'exit', outcome })
